/** A job's command on a machine: works, writes a checkpoint now and then, exits. Knows nothing of leases. */
import type { Machine } from "./machine.ts";
import type { Surroundings } from "./surroundings.ts";

export interface CommandEvents {
  checkpoint(doneMs: number): void;
  exited(failed: boolean, doneMs: number): void;
}

export class Command {
  #running = true;

  /** `startMs`: how far the work is that it goes on from; undefined: as far as was ever uploaded. */
  constructor(
    world: Surroundings,
    machine: Machine,
    jobId: string,
    fails: boolean,
    events: CommandEvents,
    startMs?: number,
  ) {
    const work = world.storage.work(jobId);
    const beginMs = startMs ?? work.storedMs;
    const willFail = fails || world.random.chance(work.failShare);
    // One that fails does so somewhere on the way.
    const lastsMs = fails ? world.random.between(20, 300) : world.random.logBetween(100, 30_000);
    const failsAtMs = willFail ? beginMs + lastsMs : Number.POSITIVE_INFINITY;
    const { pace } = world;
    const step = (doneMs: number, savingMs: number): void => {
      if (!this.#running) return;
      const nextMs = Math.min(work.totalMs, failsAtMs, doneMs + world.scenario.checkpointEveryMs);
      const workMs = pace?.workMs(machine, nextMs - doneMs) ?? nextMs - doneMs;
      machine.after(savingMs + Math.max(1, workMs), () => {
        if (!this.#running) return;
        pace?.reached(machine, nextMs);
        const failed = nextMs >= failsAtMs;
        if (failed || nextMs >= work.totalMs) {
          this.#running = false;
          events.exited(failed, nextMs);
          return;
        }
        events.checkpoint(nextMs);
        step(nextMs, pace?.saveMs ?? 0);
      });
    };
    if (!pace) {
      step(beginMs, 0);
      return;
    }
    machine.after(pace.warmUpMs(machine), () => {
      if (!this.#running) return;
      pace.reached(machine, beginMs);
      step(beginMs, 0);
    });
  }

  stop(): void {
    this.#running = false;
  }
}
