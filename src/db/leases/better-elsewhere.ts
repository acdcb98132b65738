/** How jobs that failed on one machine went on after that: whether the machine was to blame. */
import type { Statement } from "../statement.ts";

/**
 * Which of these failed attempts' jobs (`job_id`) did better on another machine afterwards: completed there, or an attempt whose command ran on for
 * longer than the failed one's did, and has not failed. How long one runs that goes on, its job's heartbeat tells. Old workers do not say when
 * their command starts, so theirs have to complete. Indexes: the key of attempts, jobs_id.
 */
export function readBetterElsewhere(
  machineId: string,
  failed: readonly { jobId: string; attempt: number }[],
): Statement {
  return {
    sql: `SELECT f.job_id FROM json_each(?2) v
            CROSS JOIN attempts f ON f.job_id = v.value ->> 0 AND f.number = v.value ->> 1
            CROSS JOIN jobs j ON j.id = f.job_id
          WHERE EXISTS (SELECT 1 FROM attempts a
            WHERE a.job_id = f.job_id AND a.number > f.number AND a.machine_id <> ?1 AND (a."end" = 'completed' OR (
              (a."end" IS NULL OR a."end" IN ('interrupted', 'released', 'canceled')) AND a.died_early = 0
              AND COALESCE(a.ended, j.heartbeat) - a.command_started
                > f.ended - COALESCE(f.command_started, f.acknowledged, f.claimed))))`,
    params: [machineId, JSON.stringify(failed.map(({ jobId, attempt }) => [jobId, attempt]))],
  };
}
