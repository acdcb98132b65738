/**
 * `timeout_seconds`: how long the command of one attempt may run, counted while this machine is awake. A clock that is set,
 * and a PC that sleeps, take nothing from it.
 */
import type { Clock } from "./clock.ts";
import { pause } from "./pause.ts";
import { CommandOverrun, type Stopper } from "./stopper.ts";

/** Timers take no more than 24 days, and a timer may come a little early: so the clock is asked again. */
const longestWaitMs = 3_600_000;

/** Asks for the command's end so long after now. */
export function timeoutOf(timeoutSeconds: number, clock: Clock): Stopper {
  const started = clock.mark();
  const overrun = new AbortController();
  const over = new AbortController();
  void (async () => {
    for (;;) {
      const remainingMs = timeoutSeconds * 1000 - started.awakeMs();
      if (remainingMs <= 0) break;
      if (!(await pause(Math.min(remainingMs, longestWaitMs), over.signal))) return;
    }
    overrun.abort(
      new CommandOverrun(
        "timed_out",
        `the command ran longer than its ${timeoutSeconds} s (timeout_seconds)`,
      ),
    );
  })();
  return { signal: overrun.signal, release: () => over.abort() };
}
