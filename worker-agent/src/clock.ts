/**
 * Elapsed time on machines that sleep. The monotonic clock stands still while a PC is suspended, the boot clock does
 * not exist everywhere, and the wall clock can be set back; so elapsed time is the largest of the three. A wall clock
 * set forward makes it too large, which costs one renewal and never a wrong effect.
 */
import { readFileSync } from "node:fs";

/** Three ways to tell the time, each in milliseconds since some fixed moment of its own. */
export interface TimeSource {
  monotonicMs(): number;
  /** Counts through suspension; undefined where the system does not tell it. */
  bootMs(): number | undefined;
  wallMs(): number;
}

/** A moment, and how long ago it is. */
export interface Mark {
  /** The largest of the three clocks' opinions: for what others may have done meanwhile. */
  elapsedMs(): number;
  /** Only the time this process could have used: for bounds on its own patience. */
  awakeMs(): number;
}

export interface Clock {
  mark(): Mark;
}

/** Builds a clock from its sources; tests hand in their own. */
export function createClock(source: TimeSource = systemTime): Clock {
  return {
    mark() {
      const monotonicMs = source.monotonicMs();
      const bootMs = source.bootMs();
      const wallMs = source.wallMs();
      const awakeMs = () => source.monotonicMs() - monotonicMs;
      return {
        awakeMs,
        elapsedMs() {
          const bootNowMs = source.bootMs();
          const bootElapsedMs = bootMs === undefined || bootNowMs === undefined ? 0 : bootNowMs - bootMs;
          return Math.max(awakeMs(), bootElapsedMs, source.wallMs() - wallMs);
        },
      };
    },
  };
}

const systemTime: TimeSource = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
  bootMs() {
    try {
      return Number.parseFloat(readFileSync("/proc/uptime", "utf8")) * 1000;
    } catch {
      return undefined; // not Linux; the two other clocks must do
    }
  },
};
