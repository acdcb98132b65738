/** Users who submit, cancel, purge; an admin who clears; strangers who claim to hold what they do not. */
import { WebhookEvent } from "../../../src/contract/index.ts";
import { discardJobsStorage, garbageDelayMs } from "../../../src/db/storage/garbage.ts";
import type { JobBook } from "../judge/book.ts";
import { minute, second } from "../scenario.ts";
import type { SimulatedD1 } from "../world/d1.ts";
import { insertJob } from "./insert-job.ts";
import { Machine } from "./machine.ts";
import type { Surroundings } from "./surroundings.ts";

const callTimeoutMs = 60 * second;
/** Jobs of the first minutes of a closed page: more than one page of the queue's head. */
const closedPageJobs = 150;
/** A job's id: the bucket's keys are made of such alone. */
const uuid = (serial: number) => `00000000-0000-4000-8000-${String(serial).padStart(12, "0")}`;

/** By the serial and not by chance: runs are the same with and without webhooks. Null: the job has none. */
function webhookOf(serial: number): { events: WebhookEvent[] | null } | null {
  const kinds = [
    null,
    { events: null },
    { events: [...WebhookEvent.options] },
    { events: ["interrupted" as const] },
  ];
  return kinds[serial % kinds.length] ?? null;
}

export class People {
  readonly #world: Surroundings;
  readonly #d1: SimulatedD1;
  readonly #desk: Machine;
  #jobs = 0;

  constructor(world: Surroundings, d1: SimulatedD1) {
    this.#world = world;
    this.#d1 = d1;
    this.#desk = new Machine("desk", world.schedule, world.random.fork());
    const { scenario } = world;
    this.#foreignJobs();
    this.#submit(scenario.openJobs, 0);
    if (scenario.badMachine) this.#submit(closedPageJobs, 9, 20);
    this.#often(scenario.burstEveryMs, () => this.#burst());
    this.#often(scenario.cancelEveryMs, () => this.#cancelOne());
    this.#often(scenario.purgeEveryMs, () => this.#purge());
    this.#often(scenario.purgeEveryMs * 3, () => this.#clear());
    this.#often(scenario.strangerEveryMs, () => this.#stranger());
    this.#often(scenario.strangerEveryMs, () => this.#reportUnclaimed());
  }

  get submitted(): number {
    return this.#jobs;
  }

  /** Before the faults end, in some runs: rows of jobs that D1 has forgotten must go too. */
  clearAtTheEnd(): void {
    this.#clear();
  }

  #often(everyMs: number, what: () => void): void {
    const { random, schedule, faults } = this.#world;
    schedule.after(random.exponential(everyMs), () => {
      if (!faults.on) return;
      what();
      this.#often(everyMs, what);
    });
  }

  #burst(): void {
    const { judge, scenario, random } = this.#world;
    const missing = scenario.openJobs - judge.book.open().length;
    if (missing > 0)
      this.#submit(random.int(1, Math.min(missing, scenario.largestBurst)), random.pick([0, 0, 0, 0, -2, 5]));
  }

  #submit(count: number, priority: number, maxFailures?: number): void {
    const { schedule, random, scenario, storage, judge, network, key } = this.#world;
    for (let i = 0; i < count; i++) {
      const id = uuid(++this.#jobs);
      const managed = scenario.managedShare > 0 && random.chance(scenario.managedShare);
      storage.add(id, {
        totalMs: random.logBetween(...scenario.work),
        storedMs: 0,
        failShare: random.pick([0, 0, 0, 0.1, 0.5]),
        managed,
      });
      judge.submitted(id, priority, managed);
      const webhook = webhookOf(this.#jobs);
      if (webhook) judge.outbox.submitted(id, webhook.events);
      insertJob(this.#d1, key, id, {
        priority,
        max_failures: maxFailures ?? random.pick([1, 2, 3]),
        heartbeat_interval: random.pick(scenario.intervals),
        created: schedule.nowMs,
        managed: managed ? 1 : 0,
        webhook: webhook ? "https://receiver.test/" : null,
        webhook_events: webhook?.events ? JSON.stringify(webhook.events) : null,
      });
    }
    network.send({
      from: this.#desk,
      timeoutMs: callTimeoutMs,
      work: (engine) => engine.jobsAdded(key, priority),
      answered: () => undefined,
      done: () => undefined,
    });
  }

  /** Another group's: whoever asks this group about them gets nothing. */
  #foreignJobs(): void {
    const { key, schedule } = this.#world;
    for (const status of ["pending", "running"]) {
      insertJob(this.#d1, { ...key, containerGroupId: "group-2" }, `foreign-${status}`, {
        status,
        attempt: status === "running" ? 1 : 0,
        machine_id: "desk",
        created: schedule.nowMs,
      });
    }
  }

  #cancelOne(): void {
    const { judge, random } = this.#world;
    const pending = [...judge.book.pending.values()];
    const open = random.chance(0.6) && pending.length > 0 ? pending : judge.book.open();
    if (open.length > 0) this.#cancel(random.pick(open));
  }

  #cancel(job: JobBook, tries = 0): void {
    const { judge, network, key } = this.#world;
    judge.wantsCanceled(job.id);
    network.send({
      from: this.#desk,
      timeoutMs: callTimeoutMs,
      work: (engine) => engine.cancel(key, job.id),
      answered: (answer) => judge.canceled(job.id, answer),
      done: (answer) => {
        const open = answer === null || (!answer.ok && answer.reason === "unavailable");
        if (open && tries < 4) this.#desk.after(2 * second, () => this.#cancel(job, tries + 1));
      },
    });
  }

  #purge(): void {
    const { judge, network, key, random, faults } = this.#world;
    network.send({
      from: this.#desk,
      timeoutMs: callTimeoutMs,
      work: (engine) => {
        const before = judge.purgeBegan();
        // People do not wait for a purge to end before they submit the next.
        for (let i = 0; i < 4; i++) {
          this.#desk.after(random.logBetween(1, 5 * second), () => {
            if (faults.on) this.#submit(1, 0);
          });
        }
        return engine.purge(key).then((answer) => {
          judge.purged(before, answer);
          return answer;
        });
      },
      answered: () => undefined,
      done: () => undefined,
    });
  }

  #clear(): void {
    const { key, faults, judge, schedule } = this.#world;
    faults.count("D1 cleared");
    const jobs = "SELECT id FROM jobs WHERE user_id = ?1 AND container_group_id = ?2";
    const group = [key.userId, key.containerGroupId];
    judge.clears(() => {
      for (const { sql, params } of discardJobsStorage(
        { sql: jobs, params: group },
        schedule.nowMs + garbageDelayMs,
      )) {
        this.#d1.database.all(sql, params);
      }
      this.#d1.database.all(`DELETE FROM deliveries WHERE job_id IN (${jobs})`, group);
      this.#d1.database.all(`DELETE FROM bans WHERE job_id IN (${jobs})`, group);
      this.#d1.database.all(`DELETE FROM attempts WHERE job_id IN (${jobs})`, group);
      this.#d1.database.all("DELETE FROM jobs WHERE user_id = ?1 AND container_group_id = ?2", group);
    });
  }

  /** Knows a job and its attempt, not the token; or asks about another group's job. */
  #stranger(): void {
    const { judge, random, network, key } = this.#world;
    const running = judge.book.open().filter((job) => job.status === "running");
    const job = running.length > 0 && random.chance(0.7) ? random.pick(running) : null;
    const jobId = job?.id ?? random.pick(["foreign-pending", "foreign-running"]);
    const attempt = job?.attempt ?? random.pick([undefined, 1]);
    // A new one each time: what a stranger gets by its own right is not another's.
    const machineId = job ? `stranger-${random.int(1, 1_000_000)}` : "desk";
    const holder = { machineId, attempt, leaseToken: job ? "forged" : undefined };
    const call = { jobId, machineId, attempt, stranger: true, claimId: null };
    const known = job?.attempts.get(job.attempt);
    if (job && known?.grantedTo && known.machineId !== machineId && random.chance(0.3)) {
      const claimId = known.grantedTo;
      network.send({
        from: this.#desk,
        timeoutMs: callTimeoutMs,
        work: (engine) => {
          judge.asks(machineId);
          return engine.claim(key, { machineId, claimId });
        },
        answered: (answer) => judge.claimedByStranger(job.id, attempt ?? 0, answer),
        done: () => undefined,
      });
    } else if (random.chance(0.5)) {
      network.send({
        from: this.#desk,
        timeoutMs: callTimeoutMs,
        work: (engine) => engine.renew(key, machineId, [{ jobId, ...holder }]),
        answered: ([answer], startedMs) => {
          if (answer) judge.renewed({ ...call, startedMs }, answer);
        },
        done: () => undefined,
      });
    } else {
      const kind = random.pick(["completed", "failed", "released"] as const);
      network.send({
        from: this.#desk,
        timeoutMs: callTimeoutMs,
        work: (engine) => engine.settle(key, jobId, kind, holder, {}),
        answered: (answer, startedMs) => judge.settled({ startedMs, ...call, kind }, answer),
        done: () => undefined,
      });
    }
  }

  /** An old client ends a job that nobody has claimed. */
  #reportUnclaimed(): void {
    const { judge, random } = this.#world;
    const waiting = [...judge.book.pending.values()].filter((job) => job.attempt === 0);
    if (waiting.length === 0) return;
    const { id } = random.pick(waiting);
    const kind = random.pick(["completed", "failed"] as const);
    const machineId = `client-${random.int(1, 1_000_000)}`;
    judge.reportsUnclaimed(id, machineId, kind);
    this.#sendUnclaimed(id, kind, machineId, 0);
  }

  #sendUnclaimed(jobId: string, kind: "completed" | "failed", machineId: string, tries: number): void {
    const { judge, network, key } = this.#world;
    network.send({
      from: this.#desk,
      timeoutMs: minute,
      work: (engine) => engine.settle(key, jobId, kind, { machineId }, {}),
      answered: (answer, startedMs) =>
        judge.settled(
          { startedMs, jobId, machineId, attempt: undefined, stranger: false, claimId: null, kind },
          answer,
        ),
      done: (answer) => {
        const open = answer === null || (!answer.ok && answer.reason === "unavailable");
        if (open && tries < 6) {
          this.#desk.after(2 * second, () => this.#sendUnclaimed(jobId, kind, machineId, tries + 1));
        }
      },
    });
  }
}
