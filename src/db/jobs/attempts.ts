import type { AttemptRow } from "../schema.ts";
import type { Statement } from "../statement.ts";

/** The newest attempts of a job, newest first. Index: the key of attempts. */
export function listAttempts(jobId: string, limit: number): Statement {
  return {
    sql: `SELECT number, machine_id, instance_id, claimed, acknowledged, ended, end, command_started, died_early,
            exit_code, signal, cause, reason, bytes_downloaded, bytes_uploaded, node
          FROM attempts WHERE job_id = ?1 ORDER BY number DESC LIMIT ?2`,
    params: [jobId, limit],
  };
}

/** A row of `listAttempts`. */
export interface AttemptRecord {
  number: number;
  machine_id: string | null;
  instance_id: string | null;
  claimed: number;
  acknowledged: number | null;
  ended: number | null;
  end: AttemptRow["end"];
  command_started: number | null;
  died_early: number;
  exit_code: number | null;
  signal: string | null;
  cause: AttemptRow["cause"];
  reason: string | null;
  bytes_downloaded: number | null;
  bytes_uploaded: number | null;
  /** JSON. */
  node: string | null;
}
