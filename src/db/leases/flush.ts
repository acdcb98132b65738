/**
 * Live values of held leases, written to D1 now and then (not per heartbeat): one statement pair for all of a group,
 * fenced job by job. Values are totals, so a repeat changes nothing.
 */
import type { ToldProgress } from "../../domain/progress.ts";
import type { Statement } from "../statement.ts";

export interface FlushedLease {
  jobId: string;
  attempt: number;
  heartbeatMs: number;
  numHeartbeats: number;
  acknowledgedMs: number | null;
  commandStartedMs: number | null;
  /** The newest that the command told of itself, as far as the object knows; null leaves what D1 has. */
  progress: ToldProgress | null;
}

/** The first statement returns the ids whose lease D1 agrees with. Indexes: jobs_id, the key of attempts. */
export function flushLeases(leases: FlushedLease[]): Statement[] {
  const values = JSON.stringify(
    leases.map((l) => [
      l.jobId,
      l.attempt,
      l.heartbeatMs,
      l.numHeartbeats,
      l.acknowledgedMs,
      l.progress,
      l.commandStartedMs,
    ]),
  );
  return [
    {
      sql: `UPDATE jobs SET heartbeat = v.value ->> 2, num_heartbeats = v.value ->> 3,
              progress = COALESCE(v.value ->> 5, progress)
            FROM json_each(?1) v
            WHERE jobs.id = v.value ->> 0 AND jobs.attempt = v.value ->> 1 AND jobs.status = 'running'
            RETURNING id`,
      params: [values],
    },
    {
      sql: `UPDATE attempts SET acknowledged = COALESCE(acknowledged, v.value ->> 4), command_started = v.value ->> 6
            FROM json_each(?1) v
            WHERE attempts.job_id = v.value ->> 0 AND attempts.number = v.value ->> 1 AND attempts."end" IS NULL
              AND (attempts.acknowledged IS NULL OR (attempts.command_started IS NULL AND v.value ->> 6 IS NOT NULL))`,
      params: [values],
    },
  ];
}

/** Which of these jobs are running, and in which attempt, with what an adoption needs. Index: jobs_id. */
export function readRunningOf(jobIds: string[]): Statement {
  return {
    sql: `SELECT j.id, j.attempt, j.machine_id, j.heartbeat_interval, j.num_heartbeats, a.acknowledged,
            j.webhook IS NOT NULL AS has_webhook
          FROM json_each(?1) v JOIN jobs j ON j.id = v.value
            LEFT JOIN attempts a ON a.job_id = j.id AND a.number = j.attempt
          WHERE j.status = 'running'`,
    params: [JSON.stringify(jobIds)],
  };
}

/** `readRunningOf`'s row. */
export interface RunningRecord {
  id: string;
  attempt: number;
  machine_id: string | null;
  heartbeat_interval: number;
  num_heartbeats: number;
  acknowledged: number | null;
  has_webhook: number;
}
