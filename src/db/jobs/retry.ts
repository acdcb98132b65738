import type { Statement } from "../statement.ts";

/**
 * Sends an ended job back to the queue, at its old place, with its failures and bans forgiven and its attempts kept. The
 * first statement's row is the job; the second hangs on the operation. Fenced by the state: one that has not ended is not touched.
 * Indexes: jobs_id, the key of bans.
 */
export function retryJob(userId: string, jobId: string, opId: string): Statement[] {
  return [
    {
      sql: `UPDATE jobs SET status = 'pending', completed = NULL, failed = NULL, canceled = NULL, failed_reason = NULL,
              num_failures = 0, early_deaths = '[]', available_at = 0, last_op = ?3
            WHERE id = ?1 AND user_id = ?2 AND status IN ('completed', 'failed', 'canceled')
            RETURNING *`,
      params: [jobId, userId, opId],
    },
    {
      sql: "DELETE FROM bans WHERE job_id = ?1 AND EXISTS (SELECT 1 FROM jobs WHERE id = ?1 AND last_op = ?2)",
      params: [jobId, opId],
    },
  ];
}
