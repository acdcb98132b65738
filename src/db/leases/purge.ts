/** Emptying a group's queue: only what existed at `t0`, in bounded bites, until nothing is hit (rule 11). */
import type { Statement } from "../statement.ts";
import { discardJobsStorage, garbageDelayMs } from "../storage/garbage.ts";

/** Job ids that wait, oldest first. Index: jobs_by_user_group_status. */
const waiting = `SELECT id FROM jobs WHERE user_id = ?1 AND container_group_id = ?2 AND status = 'pending'
                   AND created <= ?3 ORDER BY created, seq LIMIT ?4`;

/** Removes up to `limit` pending jobs with their attempts, bans, deliveries and storage; the last statement returns the removed ids. */
export function purgePending(
  userId: string,
  containerGroupId: string,
  createdUntilMs: number,
  limit: number,
): Statement[] {
  const params = [userId, containerGroupId, createdUntilMs, limit];
  return [
    ...discardJobsStorage({ sql: waiting, params }, createdUntilMs + garbageDelayMs),
    { sql: `DELETE FROM attempts WHERE job_id IN (${waiting})`, params },
    { sql: `DELETE FROM deliveries WHERE job_id IN (${waiting})`, params },
    { sql: `DELETE FROM bans WHERE job_id IN (${waiting})`, params },
    { sql: `DELETE FROM jobs WHERE id IN (${waiting}) RETURNING id`, params },
  ];
}

/** Jobs of the group that run now. Index: jobs_running. */
export function readRunningOfGroup(
  userId: string,
  containerGroupId: string,
  createdUntilMs: number,
  limit: number,
): Statement {
  return {
    sql: `SELECT id FROM jobs WHERE user_id = ?1 AND container_group_id = ?2 AND status = 'running'
            AND created <= ?3 ORDER BY created LIMIT ?4`,
    params: [userId, containerGroupId, createdUntilMs, limit],
  };
}
