/** Attempts of jobs with managed storage whose leftovers nobody has looked for. */
import type { Statement } from "../statement.ts";

/** Those that had ended by then, oldest first. Indexes: attempts_unswept, jobs_id. */
export function readUnswept(endedUntilMs: number, limit: number): Statement {
  return {
    sql: `SELECT a.job_id, a.number, a."end", j.user_id FROM attempts a CROSS JOIN jobs j ON j.id = a.job_id
          WHERE a.unswept = 1 AND a.ended IS NOT NULL AND a.ended <= ?1 ORDER BY a.ended LIMIT ?2`,
    params: [endedUntilMs, limit],
  };
}

/** A row of `readUnswept`. */
export interface UnsweptRecord {
  job_id: string;
  number: number;
  end: string;
  user_id: string;
}

/** Which of an attempt's generations were committed, and what became of them. Index: checkpoints_name. */
export function readCommittedOf(jobId: string, attempt: number): Statement {
  return {
    sql: "SELECT generation, purged FROM checkpoints WHERE job_id = ?1 AND attempt = ?2",
    params: [jobId, attempt],
  };
}

/** A row of `readCommittedOf`. */
export interface CommittedRecord {
  generation: number;
  purged: number | null;
}

/** Outputs that will never be published. Fenced by the end itself. Indexes: outputs_by_attempt, the key of attempts. */
export function deleteUnpublished(jobId: string, attempt: number): Statement {
  return {
    sql: `DELETE FROM outputs WHERE job_id = ?1 AND attempt = ?2 AND EXISTS (SELECT 1 FROM attempts
            WHERE job_id = ?1 AND number = ?2 AND ended IS NOT NULL AND "end" <> 'completed')`,
    params: [jobId, attempt],
  };
}

/** Index: the key of attempts. */
export function markSwept(jobId: string, attempt: number): Statement {
  return {
    sql: "UPDATE attempts SET unswept = 0 WHERE job_id = ?1 AND number = ?2 AND ended IS NOT NULL",
    params: [jobId, attempt],
  };
}
