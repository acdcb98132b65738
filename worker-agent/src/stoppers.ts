/** The list of what may end a command before its time for a bound that its job sets (stopper.ts). */
import type { Attempt, AttemptSettings } from "./attempt.ts";
import { timeoutOf } from "./command-timeout.ts";
import { stallOf } from "./progress/stall.ts";
import type { Stopper } from "./stopper.ts";

/** Those of an attempt whose command has just started. `look`: reads what the command has told of its progress. */
export function stoppersOf(
  attempt: Attempt,
  settings: AttemptSettings,
  look: () => Promise<void>,
): Stopper[] {
  const { job, lease, activity } = attempt;
  const { clock, timings } = settings;
  const { trust, progress } = lease;
  const isHeldUp = () => trust.signal.aborted || activity.isUploading();
  const stall = { progress, clock, look, isHeldUp, tickMs: timings.stallTickMs };
  return [
    ...(job.timeout_seconds == null ? [] : [timeoutOf(job.timeout_seconds, clock)]),
    ...(job.stall_timeout_seconds == null ? [] : [stallOf(job.stall_timeout_seconds, stall)]),
  ];
}
