/**
 * The commit in D1, where alone it is decided: the generation becomes visible if its attempt is the job's current one, the
 * job runs, and the head is still the base; the generations over the number to keep retire with it or not at all.
 */
import type { Statement } from "../statement.ts";
import { headSeq } from "./series.ts";

export interface CommitWrite {
  opId: string;
  jobId: string;
  prefix: string;
  attempt: number;
  generation: number;
  /** The head that it builds on; null: it is the first, or none is intact. */
  baseSeq: number | null;
  manifestSha256: string;
  manifestBytes: number;
  nowMs: number;
  files: number;
  bytesNew: number;
  bytesTotal: number;
  quiet: boolean;
  keep: number;
}

/**
 * The first statement's row says whether it was applied; the second hangs on the operation, because an insert of no row does
 * not stop its batch. A name that is taken inserts nothing: the caller reads back by whom.
 * Indexes: jobs_id, checkpoints_name, checkpoints_series.
 */
export function commitGeneration(write: CommitWrite): Statement[] {
  return [
    {
      sql: `INSERT INTO checkpoints (job_id, prefix, attempt, generation, base_seq, manifest_sha256, manifest_bytes,
              committed, files, bytes_new, bytes_total, quiet, op)
            SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13 FROM jobs
            WHERE id = ?1 AND attempt = ?3 AND status = 'running'
              AND ${headSeq} IS ?5
            ON CONFLICT (job_id, attempt, generation) DO NOTHING
            RETURNING seq`,
      params: [
        write.jobId,
        write.prefix,
        write.attempt,
        write.generation,
        write.baseSeq,
        write.manifestSha256,
        write.manifestBytes,
        write.nowMs,
        write.files,
        write.bytesNew,
        write.bytesTotal,
        Number(write.quiet),
        write.opId,
      ],
    },
    {
      // Whatever is older than the last intact one to keep, damaged or not. With fewer there is no such row, and none retires.
      sql: `UPDATE checkpoints SET retired = ?3 WHERE job_id = ?1 AND prefix = ?2 AND retired IS NULL
              AND seq < (SELECT seq FROM checkpoints WHERE job_id = ?1 AND prefix = ?2 AND retired IS NULL
                AND damaged IS NULL ORDER BY seq DESC LIMIT 1 OFFSET ?4)
              AND EXISTS (SELECT 1 FROM checkpoints WHERE job_id = ?1 AND attempt = ?5 AND generation = ?6 AND op = ?7)`,
      params: [
        write.jobId,
        write.prefix,
        write.nowMs,
        write.keep - 1,
        write.attempt,
        write.generation,
        write.opId,
      ],
    },
  ];
}

/** Who has this name: how a commit whose answer was lost learns what became of it. Index: checkpoints_name. */
export function readNamed(jobId: string, attempt: number, generation: number): Statement {
  return {
    sql: `SELECT prefix, manifest_sha256 FROM checkpoints WHERE job_id = ?1 AND attempt = ?2 AND generation = ?3`,
    params: [jobId, attempt, generation],
  };
}

/** `readNamed`'s row. */
export interface NamedRecord {
  prefix: string;
  manifest_sha256: string;
}
