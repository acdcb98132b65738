/**
 * `stall_timeout_seconds`: ends an attempt that shows no sign of life for so long: no first or higher step, no checkpoint that has
 * arrived, counted from the command's start (docs/progress.md).
 *
 * The count stands still while no sign could come though all is well: while trust has lapsed, since nothing may be uploaded then; and
 * while an upload is under way or waits for another try, since a slow uplink or a storage that is down is not the command's fault.
 * Time that this process did not see (a PC that slept, a container that was frozen) does not count: the command did not run either.
 */
import type { Clock } from "../clock.ts";
import { pause } from "../pause.ts";
import { CommandOverrun, type Stopper } from "../stopper.ts";
import type { AttemptProgress } from "./attempt-progress.ts";

export interface StallContext {
  progress: AttemptProgress;
  clock: Clock;
  /** Whether a sign could not come just now, whatever the command does. */
  isHeldUp(): boolean;
  /** Reads what the command has told and nobody has read yet. */
  look(): Promise<void>;
  /** How often the clocks are looked at, at most. */
  tickMs: number;
}

/** Longer between two looks: something else had stopped this process. */
const seenTicks = 3;

/** Asks for the command's end once it has stalled. */
export function stallOf(timeoutSeconds: number, context: StallContext): Stopper {
  const { clock, isHeldUp, look, progress } = context;
  const timeoutMs = timeoutSeconds * 1000;
  const tickMs = Math.min(context.tickMs, timeoutMs / 4);
  const overrun = new AbortController();
  const over = new AbortController();
  let silentMs = 0;
  const unwatch = progress.onSign(() => {
    silentMs = 0;
  });
  void (async () => {
    for (;;) {
      const before = clock.mark();
      if (!(await pause(tickMs, over.signal))) return;
      if (isHeldUp()) continue;
      silentMs += Math.min(before.awakeMs(), seenTicks * tickMs);
      if (silentMs < timeoutMs) continue;
      // A step may have been told just now.
      await look();
      if (over.signal.aborted) return;
      if (silentMs >= timeoutMs) break;
    }
    const reason = `no new step and no checkpoint for ${timeoutSeconds} s (stall_timeout_seconds)`;
    overrun.abort(new CommandOverrun("stalled", reason));
  })();
  return {
    signal: overrun.signal,
    release() {
      over.abort();
      unwatch();
    },
  };
}
