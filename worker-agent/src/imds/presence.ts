/**
 * Whether there is a metadata service here. Looked for at the start; where nothing speaks for SaladCloud, once and no more, since
 * other clouds have something else at the same address. Until it is found, whoever would use it for the node's sake does without.
 */
import type { Log } from "../log.ts";
import { pause } from "../pause.ts";
import type { Timings } from "../timings.ts";
import type { Imds } from "./imds.ts";

export interface PresenceSettings {
  imds: Imds;
  /** This looks like a node of SaladCloud: one that is not there yet may come. */
  expected: boolean;
  log: Log;
  timings: Pick<Timings, "imdsLookFirstMs" | "imdsLookCapMs">;
}

export class Presence {
  readonly #settings: PresenceSettings;
  readonly #known = Promise.withResolvers<void>();
  #isThere = false;

  constructor(settings: PresenceSettings) {
    this.#settings = settings;
  }

  get isThere(): boolean {
    return this.#isThere;
  }

  /** Resolves after the first look, whatever it found. */
  get known(): Promise<void> {
    return this.#known.promise;
  }

  /** Runs until it is found or there is no point in looking; never logs more than one line about its absence. */
  async look(signal: AbortSignal): Promise<void> {
    const { imds, expected, log, timings } = this.#settings;
    let waitMs = timings.imdsLookFirstMs;
    for (let looks = 1; !signal.aborted; looks++) {
      const answer = await imds.status(signal);
      this.#isThere = answer.ok;
      this.#known.resolve();
      if (answer.ok) {
        log.info("metadata service found");
        return;
      }
      if (signal.aborted) return;
      if (looks === 1)
        log.info("no metadata service: no deletion cost, reallocation or recreation", {
          reason: answer.message,
        });
      if (!expected) return;
      await pause(waitMs, signal);
      waitMs = Math.min(2 * waitMs, timings.imdsLookCapMs);
    }
  }
}
