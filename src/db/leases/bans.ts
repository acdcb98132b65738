import { groupIsPaused } from "../groups/pause.ts";
import type { Statement } from "../statement.ts";

/**
 * Lifts the ban that ends first (they all last as long, so it is the oldest) among these machines'; returns `machine_id`.
 * Not while the job's group is paused: nothing would come of it. Indexes: the keys of bans and groups, jobs_id.
 */
export function liftOldestBan(jobId: string, machineIds: string[]): Statement {
  return {
    sql: `DELETE FROM bans WHERE job_id = ?1 AND machine_id = (
            SELECT machine_id FROM (
              SELECT machine_id, MIN(expires) FROM bans
              WHERE job_id = ?1 AND machine_id IN (SELECT value FROM json_each(?2))))
            AND NOT EXISTS (SELECT 1 FROM jobs WHERE id = ?1 AND ${groupIsPaused})
          RETURNING machine_id`,
    params: [jobId, JSON.stringify(machineIds)],
  };
}
