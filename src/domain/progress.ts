/** What a command has told of its progress, and since when the API knows. Pure. */
import type { Progress } from "../contract/index.ts";

/** `at`: milliseconds since the epoch. */
export type ToldProgress = { step: number; total: number | null; message: string | null; at: number };

/** The newest after a report, which may tell what is known already: that was told when it was told first. */
export function newestProgress(
  known: ToldProgress | null,
  told: Progress | null | undefined,
  nowMs: number,
): ToldProgress | null {
  if (!told) return known;
  const { step, total = null, message = null } = told;
  const same = known?.step === step && known.total === total && known.message === message;
  return same ? known : { step, total, message, at: nowMs };
}
