/** What the ends of attempts have in common. The table of them all is in docs/leases.md. */
import type { AttemptEnd } from "../contract/index.ts";

/** Ends that the holder reports; of the other two the object decides. */
export type ReportedEnd = Exclude<AttemptEnd, "interrupted" | "canceled">;

export function isReported(end: AttemptEnd): end is ReportedEnd {
  return end !== "interrupted" && end !== "canceled";
}

/** Counts against `max_failures`. A command that is too slow everywhere would otherwise go round for ever. */
export function isFailure(end: AttemptEnd): boolean {
  return end === "failed" || end === "timed_out";
}

/** Speaks against its machine, which does not get the job again for a day. */
export function bansMachine(end: AttemptEnd): boolean {
  return isFailure(end) || end === "stalled";
}
