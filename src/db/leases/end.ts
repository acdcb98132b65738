/**
 * Every way in which an attempt ends, as one fenced batch: the job's row, the attempt's row, the ban, the webhook's event. Repeating a
 * batch is harmless: the fence lets it through once, and the side effects of a repeat write what is already there.
 */
import type { AttemptCause, AttemptEnd } from "../../contract/index.ts";
import { isFailure } from "../../domain/ends.ts";
import type { ToldProgress } from "../../domain/progress.ts";
import { maxRetryDelaySeconds, quarantineAttempts, quarantineMachines } from "../../domain/retry.ts";
import type { Statement } from "../statement.ts";
import { recordEvent } from "../webhooks/outbox.ts";

/** More machines of a streak than this tell nothing new. */
const longestStreak = 50;

export interface EndWrite {
  opId: string;
  kind: AttemptEnd;
  jobId: string;
  /** The attempt that ends. 0: a job that nobody has claimed (an old client's report, or a cancel). */
  attempt: number;
  nowMs: number;
  /** Who caused it; null: nobody on a node (cancel, expiry). */
  machineId: string | null;
  /** Last renewal; null: none. */
  heartbeatMs: number | null;
  /** Total of the job; null leaves it. */
  numHeartbeats: number | null;
  /** First renewal of the attempt; null: never acknowledged, so the attempt counts for nothing. */
  acknowledgedMs: number | null;
  /** When the command was first known to run; null: not known. */
  commandStartedMs: number | null;
  /** Of an interruption or a stall: it died early, it did not, or (null) nobody can tell. Several in a row are a quarantine. */
  diedEarly: boolean | null;
  /** Until when this machine does not get this job again; null: no ban. */
  banUntilMs: number | null;
  exitCode: number | null;
  signal: string | null;
  /** Null, or not there in a row of before, as `progress`: nobody said. */
  cause: AttemptCause | null;
  reason: string | null;
  bytesDownloaded: number | null;
  bytesUploaded: number | null;
  /** The newest that the command told of itself. */
  progress: ToldProgress | null;
  /** The job has a webhook; null, or not there in a row of before: nobody knows. */
  webhook: boolean | null;
}

/** The streak of early deaths with this one: a value of the job's row. */
const streak = "json_insert(early_deaths, '$[#]', ?4)";
const machinesOfStreak = `(SELECT COUNT(DISTINCT value) FROM json_each(${streak}))`;
/** Whether this end is one early death too many. */
const quarantined = `(?10 = 1 AND json_array_length(${streak}) >= ${quarantineAttempts}
  AND ${machinesOfStreak} >= ${quarantineMachines})`;
const quarantineReason = `'quarantined: ' || json_array_length(${streak}) || ' attempts in a row, on ' || ${machinesOfStreak} ||
  ' machines, died within 10 minutes of their start or stalled, without progress'`;
/** Back to the queue, or quarantined. */
const unlessQuarantined = `status = CASE WHEN ${quarantined} THEN 'failed' ELSE 'pending' END,
                failed = CASE WHEN ${quarantined} THEN ?6 ELSE NULL END,
                failed_reason = CASE WHEN ${quarantined} THEN ${quarantineReason} ELSE NULL END,
                early_deaths = CASE WHEN ?10 = 0 THEN '[]' WHEN ?10 = 1 AND json_array_length(early_deaths) < ${longestStreak}
                  THEN ${streak} ELSE early_deaths END`;
const lastFailure = "num_failures + 1 >= max_failures";
/** Back to the queue after its pause, or failed. */
const failure = (reason: string) => `num_failures = num_failures + 1, fresh = 0, early_deaths = '[]',
           status = CASE WHEN ${lastFailure} THEN 'failed' ELSE 'pending' END,
           failed = CASE WHEN ${lastFailure} THEN ?6 ELSE NULL END,
           failed_reason = CASE WHEN ${lastFailure} THEN ${reason} ELSE NULL END,
           available_at = CASE WHEN retry_delay = 0 THEN 0 ELSE ?6 + 1000 *
             MIN(retry_delay * (1 << MIN(num_failures, 20)), MAX(retry_delay, ${maxRetryDelaySeconds})) END`;

/**
 * What becomes of the job; `?4` is the machine, `?6` now, `?7` 1 for an attempt that was acknowledged, `?9` the reason, `?10`
 * 1 for an early death, 0 for none, NULL for unknown. SQLite computes all of them from the row as it was.
 */
const transitions: Record<AttemptEnd, string> = {
  completed: "status = 'completed', completed = ?6",
  failed: failure("?9"),
  timed_out: failure("COALESCE(?9, 'the command ran for longer than timeout_seconds')"),
  stalled: `fresh = 0, ${unlessQuarantined}`,
  released: "status = 'pending', fresh = CASE WHEN ?7 THEN 0 ELSE fresh END",
  interrupted: `fresh = CASE WHEN ?7 THEN 0 ELSE fresh END, num_interruptions = num_interruptions + ?7, ${unlessQuarantined}`,
  canceled: "status = 'canceled', canceled = ?6",
};

/** In which state the job may still be moved so; `attempt = ?` beside it does the rest of the fencing. */
function fenceOf(write: EndWrite): string {
  if (write.kind === "canceled") return "status IN ('pending', 'running')";
  return write.attempt === 0 ? "status = 'pending'" : "status = 'running'";
}

/**
 * The first statement's rows (`id, status`) say whether it was applied; the others hang on the operation id.
 * Indexes: jobs_id, and the keys of attempts and bans; those of recordEvent.
 */
export function endAttempt(write: EndWrite): Statement[] {
  // SQLite counts parameters by the highest number, whether or not a transition uses those below.
  const sql = `UPDATE jobs SET ${transitions[write.kind]}, last_op = ?3, machine_id = COALESCE(?4, machine_id),
                 heartbeat = COALESCE(?5, heartbeat), num_heartbeats = COALESCE(?8, num_heartbeats),
                 progress = COALESCE(?11, progress)
               WHERE id = ?1 AND attempt = ?2 AND ${fenceOf(write)}
               RETURNING id, status, available_at`;
  const params = [
    write.jobId,
    write.attempt,
    write.opId,
    write.machineId,
    write.heartbeatMs,
    write.nowMs,
    write.acknowledgedMs === null ? 0 : 1,
    write.numHeartbeats,
    write.reason,
    write.diedEarly === null ? null : Number(write.diedEarly),
    write.progress ? JSON.stringify(write.progress) : null,
  ];
  const statements: Statement[] = [{ sql, params }];
  if (write.attempt > 0) {
    statements.push({
      sql: `UPDATE attempts SET ended = ?3, "end" = ?4, end_op = ?5, acknowledged = COALESCE(acknowledged, ?6),
              command_started = ?12, died_early = ?13, cause = ?14,
              exit_code = ?7, signal = ?8, reason = ?9, bytes_downloaded = ?10, bytes_uploaded = ?11
            WHERE job_id = ?1 AND number = ?2 AND "end" IS NULL
              AND EXISTS (SELECT 1 FROM jobs WHERE id = ?1 AND last_op = ?5)`,
      params: [
        write.jobId,
        write.attempt,
        write.nowMs,
        write.kind,
        write.opId,
        write.acknowledgedMs,
        write.exitCode,
        write.signal,
        write.reason,
        write.bytesDownloaded,
        write.bytesUploaded,
        write.commandStartedMs,
        write.diedEarly === true ? 1 : 0,
        write.cause ?? null,
      ],
    });
  }
  if (write.banUntilMs !== null && write.machineId !== null) {
    statements.push({
      sql: `INSERT INTO bans (job_id, machine_id, expires)
            SELECT id, ?2, ?3 FROM jobs WHERE id = ?1 AND last_op = ?4
            ON CONFLICT (job_id, machine_id) DO UPDATE SET expires = excluded.expires`,
      params: [write.jobId, write.machineId, write.banUntilMs, write.opId],
    });
  }
  if (write.webhook !== false) {
    statements.push(recordEvent(write.jobId, write.opId, write.nowMs, !isFailure(write.kind)));
  }
  return statements;
}

/**
 * What a job and one of its attempts look like now: how a writer whose answer was lost learns what happened (rule 3),
 * and how a report without a lease is judged. Without `attempt`: the newest attempt of that machine.
 * Indexes: jobs_id, the key of attempts.
 */
export function readStanding(jobId: string, machineId: string | null, attempt: number | null): Statement {
  return {
    sql: `SELECT j.user_id, j.container_group_id, j.status, j.attempt, j.machine_id, j.last_op,
                 j.heartbeat_interval, j.num_heartbeats, j.webhook IS NOT NULL AS has_webhook,
                 a.number AS its_number, a.machine_id AS its_machine_id, a."end" AS its_end, a.end_op AS its_end_op,
                 a.acknowledged AS its_acknowledged,
                 EXISTS (SELECT 1 FROM bans b WHERE b.job_id = j.id AND b.machine_id = ?2) AS banned
          FROM jobs j LEFT JOIN attempts a ON a.job_id = j.id AND a.number = COALESCE(?3,
            (SELECT MAX(number) FROM attempts WHERE job_id = ?1 AND machine_id = ?2))
          WHERE j.id = ?1`,
    params: [jobId, machineId, attempt],
  };
}

/** `readStanding`'s row. */
export interface Standing {
  user_id: string;
  container_group_id: string;
  status: "pending" | "running" | "completed" | "canceled" | "failed";
  attempt: number;
  machine_id: string | null;
  last_op: string | null;
  heartbeat_interval: number;
  num_heartbeats: number;
  has_webhook: number;
  its_number: number | null;
  its_machine_id: string | null;
  its_end: string | null;
  its_end_op: string | null;
  its_acknowledged: number | null;
  banned: number;
}
