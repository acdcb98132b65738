/** Retired generations whose bytes are still there. */
import type { Statement } from "../statement.ts";

/** Where a pass over them has come to. */
export interface RetiredCursor {
  retired: number;
  seq: number;
}

export const retiredStart: RetiredCursor = { retired: 0, seq: 0 };

/** The next ones, the longest retired first. Indexes: checkpoints_unpurged, jobs_id. */
export function readRetired(after: RetiredCursor, limit: number): Statement {
  return {
    sql: `SELECT c.seq, c.job_id, c.prefix, c.attempt, c.generation, c.manifest_sha256, c.retired, j.user_id
          FROM checkpoints c CROSS JOIN jobs j ON j.id = c.job_id
          WHERE c.retired IS NOT NULL AND c.purged IS NULL AND (c.retired, c.seq) > (?1, ?2)
          ORDER BY c.retired, c.seq LIMIT ?3`,
    params: [after.retired, after.seq, limit],
  };
}

/** A row of `readRetired`. */
export interface RetiredRecord {
  seq: number;
  job_id: string;
  prefix: string;
  attempt: number;
  generation: number;
  manifest_sha256: string;
  retired: number;
  user_id: string;
}

/** Everything that these named and nobody kept names is gone. Index: the key of checkpoints. */
export function markPurged(seqs: number[], nowMs: number): Statement {
  return {
    sql: `UPDATE checkpoints SET purged = ?2
          WHERE seq IN (SELECT value FROM json_each(?1)) AND retired IS NOT NULL AND purged IS NULL`,
    params: [JSON.stringify(seqs), nowMs],
  };
}
