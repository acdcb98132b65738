/**
 * A job on its recorded nodes, ours: the shipped engine and SQL on the simulation's D1, object, alarm and sweep; the simulation's
 * agent on each node while it is there. No faults but the recorded one: nodes vanish. The judge watches as ever.
 */
import { timings } from "../../../worker-agent/src/timings.ts";
import { Agent } from "../actors/agent.ts";
import { insertJob } from "../actors/insert-job.ts";
import { Machine } from "../actors/machine.ts";
import type { Pace } from "../actors/pace.ts";
import type { Surroundings } from "../actors/surroundings.ts";
import { assemble } from "../assemble.ts";
import { everythingEnded } from "../judge/final-rules.ts";
import { patienceMs } from "../judge/object-rules.ts";
import { Verdict, type Violation } from "../judge/verdict.ts";
import { hour, scenarios, second } from "../scenario.ts";
import { Random } from "../world/random.ts";
import { Schedule } from "../world/schedule.ts";
import type { Attempt } from "./account.ts";
import { type Assumptions, transferMs, uploadMs } from "./assumptions.ts";
import type { Work } from "./polling-replay.ts";
import type { Stay } from "./timeline.ts";

const key = { userId: "user-1", containerGroupId: "group-1" };
const jobId = "job-1";
/** Submitted a moment before its first node comes. */
const submittedBeforeMs = 10 * second;
/** A message of the socket, to an agent that waits. */
const messageMs = 50;
/** An agent that is just asking hears of the wake when it has its answer, as worker-agent's WorkSignals has it. */
const wakeKeptMs = 5 * second;
/** Longer than any recorded job would take: something is stuck. */
const longestMs = 10_000 * hour;

export interface EngineReplay {
  attempts: Attempt[];
  /** From the job's last step to `completed` in D1. */
  reportMs: number;
  violation: Violation | null;
  checks: number;
}

export async function replayOnEngine(
  stays: Stay[],
  work: Work,
  known: Assumptions,
  seed: number,
): Promise<EngineReplay> {
  const firstMs = stays[0]?.fromMs ?? 0;
  const startMs = Math.floor(firstMs) - submittedBeforeMs;
  const scenario = { ...scenarios.fleet, checkpointEveryMs: known.checkpointEveryMs };
  const random = new Random(seed);
  const schedule = new Schedule(startMs);
  const verdict = new Verdict(() => schedule.nowMs);
  let agent: Agent | undefined;
  const wake = (keptMs: number): void => {
    if (agent?.idle) agent.poll();
    else if (keptMs > 0) schedule.after(messageMs, () => wake(keptMs - messageMs));
  };
  const agents = {
    wake: () => schedule.after(messageMs, () => wake(wakeKeptMs)),
    ended: () => undefined,
    reallocate: () => undefined,
  };
  // The recorded jobs used their own storage: nobody asks the bucket anything.
  const bucketRandom = new Random(seed);
  const api = assemble({ key, scenario, schedule, verdict, random, bucketRandom, agents });
  const { d1, object, engineThrew } = api;
  const { faults, judge, storage } = api.surroundings;
  faults.on = false;
  const record = new Record(work, known, schedule, () => judge.book.job(jobId).pendingSinceMs);
  const world: Surroundings = { ...api.surroundings, pace: record };

  storage.add(jobId, { totalMs: work.computeMs, storedMs: 0, failShare: 0, managed: false });
  judge.submitted(jobId, 0, false);
  insertJob(d1, key, jobId, {
    created: schedule.nowMs,
    heartbeat_interval: known.heartbeatIntervalSeconds,
  });
  object.call((engine) => engine.jobsAdded(key, 0), ignore, engineThrew);
  api.sweep();

  const completed = () => judge.book.job(jobId).status === "completed";
  for (const [i, stay] of stays.entries()) {
    const machine = new Machine(`${i}-${stay.machineId}`, schedule, random.fork());
    let here: Agent | undefined;
    schedule.at(stay.fromMs, () => {
      record.arrives(machine, stay);
      here = new Agent(world, machine, `agent-${i}`, 1, () => false);
      agent = here;
    });
    if (!Number.isFinite(stay.toMs)) continue;
    schedule.at(stay.toMs, () => {
      if (completed()) return;
      machine.die();
      here?.die();
      record.vanishes(machine, storage.work(jobId).storedMs);
      // The next may be there already.
      if (agent === here) agent = undefined;
    });
  }

  const ownPatienceMs = patienceMs + 2 * known.heartbeatIntervalSeconds * second;
  const look = () => api.passMinute(ownPatienceMs);
  while (!completed() && !verdict.violation) {
    if (schedule.nowMs - startMs > longestMs) throw new Error("the job does not end");
    await look();
  }
  const settledMs = judge.book.job(jobId).settledMs;
  // What is left in the object goes within its next alarms.
  for (let minutes = 0; minutes < 20 && !verdict.violation; minutes++) await look();
  if (!verdict.violation) everythingEnded(judge.book, verdict, object.alarmMs, d1.database);
  d1.database.close();
  const { attempts } = record;
  return {
    attempts,
    reportMs: settledMs - (attempts.at(-1)?.endMs ?? 0),
    violation: verdict.violation,
    checks: verdict.checked,
  };
}

/** Gives the actors the assumed times, and writes down what becomes of them. */
class Record implements Pace {
  readonly attempts: Attempt[] = [];
  readonly saveMs: number;
  readonly #stays = new Map<Machine, { stay: Stay; attempt: Attempt; savedAtMs: number }>();
  readonly #work: Work;
  readonly #known: Assumptions;
  readonly #schedule: Schedule;
  readonly #availableMs: () => number;

  constructor(work: Work, known: Assumptions, schedule: Schedule, availableMs: () => number) {
    this.#work = work;
    this.#known = known;
    this.#schedule = schedule;
    this.#availableMs = availableMs;
    this.saveMs = work.saveMs;
  }

  arrives(machine: Machine, stay: Stay): void {
    const never = Number.POSITIVE_INFINITY;
    const attempt: Attempt = {
      machineId: stay.machineId,
      nodeFromMs: stay.fromMs,
      readyMs: stay.fromMs + this.agentStartMs(machine, stay),
      availableMs: never,
      claimedMs: never,
      downloadedMs: never,
      startedMs: never,
      beganMs: never,
      resumedMs: 0,
      reachedMs: 0,
      savingMs: 0,
      endMs: never,
    };
    this.attempts.push(attempt);
    this.#stays.set(machine, { stay, attempt, savedAtMs: never });
  }

  vanishes(machine: Machine, storedMs: number): void {
    const { attempt, savedAtMs } = this.#of(machine);
    attempt.endMs = this.#schedule.nowMs;
    if (attempt.beganMs >= attempt.endMs) {
      attempt.resumedMs = storedMs;
      attempt.reachedMs = storedMs;
      return;
    }
    const sinceSaveMs = attempt.endMs - savedAtMs;
    const savingMs = attempt.reachedMs > attempt.resumedMs ? Math.min(this.saveMs, sinceSaveMs) : 0;
    attempt.savingMs += savingMs;
    attempt.reachedMs += sinceSaveMs - savingMs;
  }

  agentStartMs(machine: Machine, stay = this.#of(machine).stay): number {
    return stay.warm ? 0 : this.#known.workerStartMs;
  }

  idlePauseMs(): number {
    return timings.connectedPollMs;
  }

  commandStartMs(machine: Machine): number {
    const { attempt, stay } = this.#of(machine);
    attempt.availableMs = this.#availableMs();
    attempt.claimedMs = this.#schedule.nowMs;
    attempt.downloadedMs = attempt.claimedMs + transferMs(this.#known, stay.downMbps);
    attempt.startedMs = attempt.downloadedMs;
    return attempt.downloadedMs - attempt.claimedMs;
  }

  warmUpMs(machine: Machine): number {
    return this.#of(machine).stay.warm ? 0 : this.#known.checksMs;
  }

  /** A step of the recorded jobs was a minute by the clock, wherever it ran. */
  workMs(_machine: Machine, ms: number): number {
    return ms;
  }

  uploadMs(machine: Machine): number {
    return uploadMs(this.#known, this.#of(machine).stay.upMbps);
  }

  reached(machine: Machine, doneMs: number): void {
    const entry = this.#of(machine);
    const { attempt } = entry;
    const nowMs = this.#schedule.nowMs;
    if (!Number.isFinite(attempt.beganMs)) {
      attempt.beganMs = nowMs;
      attempt.resumedMs = doneMs;
    } else if (attempt.reachedMs > attempt.resumedMs) attempt.savingMs += this.saveMs;
    attempt.reachedMs = doneMs;
    entry.savedAtMs = nowMs;
    if (doneMs >= this.#work.computeMs) attempt.endMs = nowMs;
  }

  #of(machine: Machine) {
    const entry = this.#stays.get(machine);
    if (!entry) throw new Error(`${machine.id} was never there`);
    return entry;
  }
}

function ignore(): void {}
