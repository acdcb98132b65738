import type { Statement } from "../statement.ts";

/**
 * The generations of a job, newest first: an attempt's numbers rise, and attempts do (of two series of one attempt, whichever
 * was begun later comes first). Index: checkpoints_name.
 */
export function listCheckpoints(jobId: string, limit: number): Statement {
  return {
    sql: `SELECT prefix, attempt, generation, committed, files, bytes_new, bytes_total, quiet, retired, damaged
          FROM checkpoints WHERE job_id = ?1 ORDER BY attempt DESC, generation DESC LIMIT ?2`,
    params: [jobId, limit],
  };
}

/** A row of `listCheckpoints`. */
export interface CheckpointRecord {
  prefix: string;
  attempt: number;
  generation: number;
  committed: number;
  files: number;
  bytes_new: number;
  bytes_total: number;
  quiet: number;
  retired: number | null;
  damaged: number | null;
}
