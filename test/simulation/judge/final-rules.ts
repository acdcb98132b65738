/** When the faults are over and everybody has had time: nothing is left, lost or stuck. */
import type { Database } from "../world/database.ts";
import { type Book, terminal } from "./book.ts";
import type { Verdict } from "./verdict.ts";

export function everythingEnded(book: Book, verdict: Verdict, alarmMs: number | null, d1: Database): void {
  for (const job of book.jobs.values()) {
    verdict.require(
      "every job ends",
      job.id,
      job.gone || terminal(job.status),
      () => `still ${job.status}, in attempt ${job.attempt}, long after the last fault`,
    );
    verdict.require(
      "what is canceled stays so",
      job.id,
      job.gone || job.status !== "canceled" || job.cancelAsked,
      () => "canceled, though nobody asked for it",
    );
    for (const attempt of job.attempts.values()) {
      verdict.require(
        "every attempt ends",
        job.id,
        job.gone || attempt.end !== null,
        () => `attempt ${attempt.number} has no end`,
      );
    }
  }
  verdict.require(
    "no row stays behind",
    [...book.rows.keys()][0] ?? null,
    book.rows.size === 0,
    () => `${book.rows.size} rows of ended jobs`,
  );
  verdict.require(
    "no alarm without rows",
    null,
    book.rows.size > 0 || alarmMs === null,
    () => "an alarm is still set",
  );
  const running = d1.all(
    "SELECT COUNT(*) AS n FROM jobs WHERE status = 'running' AND container_group_id = 'group-1'",
    [],
  )[0]?.n;
  verdict.require("every job ends", null, running === 0, () => `D1 counts ${running} running jobs`);
}
