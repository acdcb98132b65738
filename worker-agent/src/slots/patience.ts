/**
 * How long a job that another slot's job stands in the way of is held here before it is given back. The first time only so
 * long as a job that is just ending may take; twice as long each time it comes back, since then no other agent wanted
 * it. Giving it back and claiming it again so gets rarer and rarer, and while it is held, other slots get the jobs behind it.
 */
import type { Timings } from "../timings.ts";

/** Jobs remembered: more than an agent meets in the time for which it matters. */
const jobsMax = 100;

export class Patience {
  readonly #timings: Pick<Timings, "occupiedHoldFirstMs" | "occupiedHoldCapMs">;
  readonly #refusals = new Map<string, number>();

  constructor(timings: Pick<Timings, "occupiedHoldFirstMs" | "occupiedHoldCapMs">) {
    this.#timings = timings;
  }

  /** How long to hold the job this time. */
  holdMs(jobId: string): number {
    const { occupiedHoldFirstMs, occupiedHoldCapMs } = this.#timings;
    return Math.min(occupiedHoldCapMs, occupiedHoldFirstMs * 2 ** (this.#refusals.get(jobId) ?? 0));
  }

  /** The job was given back. */
  refused(jobId: string): void {
    const times = this.#refusals.get(jobId) ?? 0;
    // Anew, so that the one forgotten first is the one not met for longest.
    this.#refusals.delete(jobId);
    this.#refusals.set(jobId, Math.min(times + 1, 30));
    const [oldest] = this.#refusals.keys();
    if (this.#refusals.size > jobsMax && oldest !== undefined) this.#refusals.delete(oldest);
  }

  /** The job runs here. */
  ran(jobId: string): void {
    this.#refusals.delete(jobId);
  }
}
