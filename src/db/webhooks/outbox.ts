/**
 * The outbox's row of a transition, for the transition's own batch (docs/webhooks.md): it hangs on the operation as the batch's other
 * side effects do, so there is an event exactly if there was a transition.
 */
import type { Statement } from "../statement.ts";

/** What Kelpie tells, and jobs that name no events hear. */
const defaultEvents = `'["running","completed","failed"]'`;

/** The job's row is as the transition has left it; one that waits again has lost its attempt. */
const event = "CASE status WHEN 'pending' THEN 'interrupted' ELSE status END";

/**
 * `tellsWaiting`: whether a job that waits again is news. After a reported failure it is not.
 * Indexes: jobs_id; for the number deliveries_by_job; for the conflict deliveries_op.
 */
export function recordEvent(jobId: string, opId: string, nowMs: number, tellsWaiting: boolean): Statement {
  return {
    sql: `INSERT INTO deliveries (id, user_id, job_id, number, event, url, attempt, machine_id, container_group_id,
            created, op, due)
          SELECT 'msg_' || ?2, user_id, id,
            (SELECT COALESCE(MAX(number), 0) + 1 FROM deliveries WHERE job_id = ?1),
            ${event}, webhook, attempt, machine_id, container_group_id, ?3, ?2, ?3
          FROM jobs WHERE id = ?1 AND last_op = ?2 AND webhook IS NOT NULL AND (status <> 'pending' OR ?4 = 1)
            AND EXISTS (SELECT 1 FROM json_each(COALESCE(webhook_events, ${defaultEvents})) WHERE value = ${event})
          ON CONFLICT (job_id, op, event) DO NOTHING`,
    params: [jobId, opId, nowMs, tellsWaiting ? 1 : 0],
  };
}
