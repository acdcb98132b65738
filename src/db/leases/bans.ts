import type { Statement } from "../statement.ts";

/**
 * Lifts the ban that ends first (they all last as long, so it is the oldest) among these machines'; returns `machine_id`.
 * Index: the key of bans.
 */
export function liftOldestBan(jobId: string, machineIds: string[]): Statement {
  return {
    sql: `DELETE FROM bans WHERE job_id = ?1 AND machine_id = (
            SELECT machine_id FROM (
              SELECT machine_id, MIN(expires) FROM bans
              WHERE job_id = ?1 AND machine_id IN (SELECT value FROM json_each(?2))))
          RETURNING machine_id`,
    params: [jobId, JSON.stringify(machineIds)],
  };
}
