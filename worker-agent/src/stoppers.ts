/** The list of what may end a command before its time for a bound that its job sets (stopper.ts). */
import type { Attempt, AttemptSettings } from "./attempt.ts";
import { timeoutOf } from "./command-timeout.ts";
import type { Stopper } from "./stopper.ts";

/** Those of an attempt whose command has just started. */
export function stoppersOf({ job }: Attempt, { clock }: AttemptSettings): Stopper[] {
  return [...(job.timeout_seconds == null ? [] : [timeoutOf(job.timeout_seconds, clock)])];
}
