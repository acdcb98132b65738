/**
 * Removing jobs that ended long ago (docs/operations.md, "Retention"): one read chooses, one transaction removes. Each statement of it asks
 * again whether the job has ended so long ago: one that was sent back meanwhile has no end, and loses nothing.
 */
import type { Statement } from "../statement.ts";
import { again, garbageDelayMs, note, noteLogs } from "../storage/garbage.ts";

/**
 * Jobs that had ended by then, the oldest end first, each with how many rows go with it. Indexes: jobs_ended, the keys of attempts and bans,
 * checkpoints_name, outputs_by_attempt, deliveries_by_job.
 */
export function readEnded(endedUntilMs: number, limit: number): Statement {
  const tables = ["attempts", "bans", "checkpoints", "outputs", "deliveries"];
  const counts = tables.map((table) => `(SELECT COUNT(*) FROM ${table} WHERE job_id = jobs.id)`);
  return {
    sql: `SELECT id, ${counts.join(" + ")} AS related FROM jobs
          WHERE ended IS NOT NULL AND ended <= ?1 ORDER BY ended LIMIT ?2`,
    params: [endedUntilMs, limit],
  };
}

/** A row of `readEnded`. */
export interface EndedRecord {
  id: string;
  related: number;
}

/** Those of the ids `?1` that had ended by `?2`. Index: jobs_id. */
const chosen = `SELECT jobs.id FROM json_each(?1) v CROSS JOIN jobs ON jobs.id = v.value
                WHERE jobs.ended IS NOT NULL AND jobs.ended <= ?2`;

/**
 * Removes those of these jobs that had ended by then, with all that is theirs but published outputs; the last statement returns the
 * removed ids (`id`). In this order: outputs are vouched for by attempts, garbage is told by outputs, and all by the jobs.
 * Indexes: as above, and the keys of outputs and storage_garbage.
 */
export function purgeEnded(jobIds: string[], endedUntilMs: number, nowMs: number): Statement[] {
  const params = [JSON.stringify(jobIds), endedUntilMs];
  const dueMs = nowMs + garbageDelayMs;
  return [
    {
      sql: `UPDATE outputs SET kept = 1 WHERE job_id IN (${chosen}) AND EXISTS (SELECT 1 FROM attempts
              WHERE attempts.job_id = outputs.job_id AND attempts.number = outputs.attempt AND attempts."end" = 'completed')`,
      params,
    },
    { sql: `DELETE FROM outputs WHERE job_id IN (${chosen}) AND kept = 0`, params },
    {
      sql: `${note} SELECT 'snapshots/' || jobs.user_id || '/' || jobs.id || '/', ?3 FROM jobs
            WHERE jobs.id IN (${chosen}) AND jobs.managed = 1 ${again}`,
      params: [...params, dueMs],
    },
    noteLogs({ sql: chosen, params }, "?3", dueMs),
    {
      // Below an attempt that the sweep has looked at there is nothing any more, unless it completed.
      sql: `${note} SELECT 'outputs/' || jobs.user_id || '/' || jobs.id || '/' || attempts.number || '/', ?3
            FROM jobs CROSS JOIN attempts ON attempts.job_id = jobs.id
            WHERE jobs.id IN (${chosen}) AND jobs.managed = 1
              AND (attempts.unswept = 1 OR attempts."end" = 'completed')
              AND NOT EXISTS (SELECT 1 FROM outputs
                WHERE outputs.job_id = attempts.job_id AND outputs.attempt = attempts.number) ${again}`,
      params: [...params, dueMs],
    },
    ...["attempts", "bans", "checkpoints", "deliveries"].map((table) => ({
      sql: `DELETE FROM ${table} WHERE job_id IN (${chosen})`,
      params,
    })),
    { sql: `DELETE FROM jobs WHERE id IN (${chosen}) RETURNING id`, params },
  ];
}
