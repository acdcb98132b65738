/** A worker as Kelpie ships it: no claim id, no attempt, no token; a heartbeat each interval; eight of them per machine. */
import type { SettleKind } from "../../../src/group/protocol.ts";
import { second } from "../scenario.ts";
import { Command } from "./command.ts";
import type { Machine } from "./machine.ts";
import type { Surroundings } from "./surroundings.ts";

const callTimeoutMs = 30 * second;

export class OldWorker {
  readonly #world: Surroundings;
  readonly #machine: Machine;
  readonly #name: string;
  readonly #failsAll: () => boolean;
  #calls = 0;
  #job: { id: string; intervalMs: number; command: Command } | null = null;
  #waits: (() => void) | null = null;

  constructor(world: Surroundings, machine: Machine, name: string, failsAll: () => boolean) {
    this.#world = world;
    this.#machine = machine;
    this.#name = name;
    this.#failsAll = failsAll;
    machine.after(world.random.int(1, 2_000), () => this.#claim());
  }

  get idle(): boolean {
    return this.#waits !== null;
  }

  poll(): void {
    if (this.#waits) this.#machine.run(this.#waits);
  }

  /** Kelpie's worker knows no release: what it held lapses. */
  drain(): void {
    this.die();
  }

  die(): void {
    this.#job?.command.stop();
    this.#job = null;
  }

  #claim(): void {
    this.#waits = null;
    const { network, judge, key, scenario, random } = this.#world;
    const machineId = this.#machine.id;
    const name = `${this.#name}-call-${++this.#calls}`;
    let copies = 0;
    network.send({
      from: this.#machine,
      timeoutMs: callTimeoutMs,
      // A doubled request is a second claim: nothing tells it from one.
      work: (engine) => {
        const copy = `${name}.${++copies}`;
        judge.claiming(copy, machineId);
        return engine.claim(key, { machineId }).then((answer) => {
          judge.claimed({ name: copy, old: true, machineId }, answer);
          return answer;
        });
      },
      answered: () => undefined,
      done: (answer) => {
        if (!answer?.ok || answer.job === null) {
          const again = () => {
            if (this.#waits === again) this.#claim();
          };
          this.#waits = again;
          this.#machine.after(scenario.idlePollMs * random.between(0.5, 1), again);
          return;
        }
        this.#start(answer.job.id, answer.job.heartbeatInterval * second);
      },
    });
  }

  #start(id: string, intervalMs: number): void {
    const command = new Command(this.#world, this.#machine, id, this.#failsAll(), {
      // Syncs whatever it has, trusted or not.
      checkpoint: (doneMs) => this.#world.storage.landed(id, doneMs),
      exited: (failed, doneMs) => {
        if (!failed) this.#world.storage.landed(id, doneMs);
        this.#world.judge.reportsByMachine(id, this.#machine.id, failed ? "failed" : "completed");
        this.#report(id, failed ? "failed" : "completed");
      },
    });
    this.#job = { id, intervalMs, command };
    this.#beat();
  }

  #beat(): void {
    const job = this.#job;
    if (!job) return;
    const { network, judge, key } = this.#world;
    const machineId = this.#machine.id;
    network.send({
      from: this.#machine,
      timeoutMs: callTimeoutMs,
      work: (engine) => engine.renew(key, machineId, [{ jobId: job.id }]),
      answered: ([answer], startedMs) => {
        const call = {
          jobId: job.id,
          machineId,
          attempt: undefined,
          stranger: false,
          claimId: null,
          startedMs,
        };
        if (answer) judge.renewed(call, answer);
      },
      done: (answers) => {
        const told = answers?.[0]?.status;
        if ((told === "canceled" || told === "unknown") && this.#job === job) {
          judge.refused("heartbeat canceled");
          job.command.stop();
          this.#next();
        }
      },
    });
    this.#machine.after(job.intervalMs, () => {
      if (this.#job === job) this.#beat();
    });
  }

  #report(jobId: string, kind: SettleKind, tries = 0): void {
    if (this.#job?.id !== jobId) return;
    const { network, judge, key } = this.#world;
    const machineId = this.#machine.id;
    network.send({
      from: this.#machine,
      timeoutMs: callTimeoutMs,
      work: (engine) => engine.settle(key, jobId, kind, { machineId }, {}),
      answered: (answer, startedMs) =>
        judge.settled(
          { startedMs, jobId, machineId, attempt: undefined, stranger: false, claimId: null, kind },
          answer,
        ),
      done: (answer) => {
        if (this.#job?.id !== jobId) return;
        if (answer === null || (!answer.ok && answer.reason === "unavailable")) {
          this.#machine.after(Math.min(10 * second, second * 2 ** tries), () =>
            this.#report(jobId, kind, tries + 1),
          );
          return;
        }
        if (!answer.ok) judge.refused("report refused");
        this.#next();
      },
    });
  }

  #next(): void {
    this.#job = null;
    this.#machine.after(this.#world.random.int(10, 2_000), () => this.#claim());
  }
}
