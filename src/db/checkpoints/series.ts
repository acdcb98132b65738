/**
 * The generations of a series (one job, one prefix) that are kept: not retired. Those that are damaged are among them, since
 * what they name is not deleted either before they retire (docs/storage.md, "Retention").
 */
import type { Statement } from "../statement.ts";

/** Of one series at most 100 are intact, and as many damaged ones wait to retire; who reads so many has not seen all. */
export const mostKept = 1_000;

/**
 * Which generation of a series is its head: `?1` the job, `?2` the prefix. NULL: none. The whole truth about it, for fences;
 * `headOf` (storage/snapshots/series.ts) says the same of rows that were read.
 */
export const headSeq = `(SELECT seq FROM checkpoints WHERE job_id = ?1 AND prefix = ?2 AND retired IS NULL
  AND damaged IS NULL ORDER BY seq DESC LIMIT 1)`;

/** Newest first. Index: checkpoints_series. */
export function readSeries(jobId: string, prefix: string): Statement {
  return {
    sql: `SELECT seq, attempt, generation, manifest_sha256, manifest_bytes, damaged FROM checkpoints
          WHERE job_id = ?1 AND prefix = ?2 AND retired IS NULL ORDER BY seq DESC LIMIT ?3`,
    params: [jobId, prefix, mostKept],
  };
}

/** Of all series of a job. Index: checkpoints_series. */
export function readKeptOfJob(jobId: string): Statement {
  return {
    sql: `SELECT seq, attempt, generation, manifest_sha256, manifest_bytes, damaged FROM checkpoints
          WHERE job_id = ?1 AND retired IS NULL LIMIT ?2`,
    params: [jobId, mostKept],
  };
}

/** A row of `readSeries` and `readKeptOfJob`. */
export interface KeptRecord {
  seq: number;
  attempt: number;
  generation: number;
  manifest_sha256: string;
  manifest_bytes: number;
  damaged: number | null;
}
