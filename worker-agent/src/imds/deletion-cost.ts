/**
 * What it would cost to take this node away, told to SaladCloud: of several instances the one with the lowest cost goes first when a
 * group is made smaller. This is its only writer. 0: nothing would be lost. While jobs run: the minutes of work since the last committed
 * checkpoint of the job that would lose most. While last uploads go on: the highest, since hours of work may hang on some seconds.
 *
 * A hint and no more: trouble with it is told once, tried again a minute later, and never reaches a job.
 */
import type { Clock, Mark } from "../clock.ts";
import type { Log } from "../log.ts";
import { pause } from "../pause.ts";
import type { Timings } from "../timings.ts";
import type { Imds } from "./imds.ts";

/** The highest that SaladCloud's public API takes. */
export const highestCost = 100_000;

export interface DeletionCostSettings {
  imds: Imds;
  presence: { readonly isThere: boolean; readonly known: Promise<void> };
  clock: Clock;
  log: Log;
  timings: Pick<Timings, "deletionCostTickMs">;
}

/** What one job would lose. */
export interface JobWorth {
  /** A checkpoint is where another node finds it. */
  saved(): void;
  /** The command has ended; what it left goes up. */
  uploading(): void;
  /** Nothing of it is left here. */
  over(): void;
}

interface Worth {
  savedAt: Mark;
  isUploading: boolean;
}

export class DeletionCost {
  readonly #settings: DeletionCostSettings;
  readonly #jobs = new Set<Worth>();
  /** What SaladCloud knows; undefined: not certain. */
  #told: number | undefined;
  #isInTrouble = false;
  #change = new AbortController();

  constructor(settings: DeletionCostSettings) {
    this.#settings = settings;
  }

  /** A job is here from now on. */
  begin(): JobWorth {
    const { clock } = this.#settings;
    const worth: Worth = { savedAt: clock.mark(), isUploading: false };
    const changed = (change: () => void) => () => {
      change();
      this.#change.abort();
    };
    this.#jobs.add(worth);
    this.#change.abort();
    return {
      saved: changed(() => {
        worth.savedAt = clock.mark();
      }),
      uploading: changed(() => {
        worth.isUploading = true;
      }),
      over: changed(() => {
        this.#jobs.delete(worth);
      }),
    };
  }

  /** The one writer; runs until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { presence, timings } = this.#settings;
    await presence.known;
    while (!signal.aborted) {
      this.#change = new AbortController();
      if (presence.isThere) await this.#tell(this.#cost(), signal);
      // Idle and known to be: only a job changes that. All else changes with time, or is to be tried again.
      const isSettled = this.#jobs.size === 0 && this.#told === 0;
      // A service in trouble is let be for a tick, whatever a job with many files has to say meanwhile.
      const cut = this.#isInTrouble ? signal : AbortSignal.any([signal, this.#change.signal]);
      await pause(isSettled ? idleMs : timings.deletionCostTickMs, cut);
    }
  }

  async #tell(cost: number, signal: AbortSignal): Promise<void> {
    if (cost === this.#told) return;
    const { imds, log } = this.#settings;
    const answer = await imds.setDeletionCost(cost, signal);
    // A failed one may have been applied.
    this.#told = answer.ok ? cost : undefined;
    if (answer.ok) log.debug("deletion cost told", { cost });
    else if (!this.#isInTrouble && !signal.aborted)
      log.warn("deletion cost not told, will try again", { cost, reason: answer.message });
    this.#isInTrouble = !answer.ok;
  }

  #cost(): number {
    return Math.max(0, ...[...this.#jobs].map(costOf));
  }
}

function costOf({ savedAt, isUploading }: Worth): number {
  if (isUploading) return highestCost;
  // Work that was done: a machine that sleeps does none.
  const minutes = Math.floor(savedAt.awakeMs() / 60_000);
  return Math.min(highestCost - 1, Math.max(1, minutes));
}

const idleMs = 3_600_000;
