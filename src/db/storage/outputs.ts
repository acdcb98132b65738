/**
 * Outputs in managed storage. A row is published, that is seen by people, if and only if its very attempt has ended as
 * `completed`: every read for people asks for the attempt, so the settle publishes without a statement of its own
 * (docs/decisions/0005). When the attempt is purged the row is marked as `kept` instead (db/jobs/retention.ts).
 */
import type { Statement } from "../statement.ts";

/** An output as its attempt uploaded it. */
export interface OutputRecord {
  key: string;
  job_id: string;
  attempt: number;
  bytes: number;
  etag: string;
  /** Milliseconds since the epoch, by the storage's clock. */
  uploaded: number;
}

const columns = "o.key, o.job_id, o.attempt, o.bytes, o.etag";
/** SQLite takes the other columns of a MAX() from the row that has it. */
const newest = `${columns}, MAX(o.uploaded) AS uploaded`;
const published = `(o.kept = 1 OR EXISTS (SELECT 1 FROM attempts a
  WHERE a.job_id = o.job_id AND a.number = o.attempt AND a."end" = 'completed'))`;

/** The newest published output of each of these keys that has one. Indexes: the keys of outputs and attempts. */
export function readPublished(userId: string, keys: string[]): Statement {
  return {
    sql: `SELECT ${newest} FROM json_each(?2) v
            CROSS JOIN outputs o ON o.user_id = ?1 AND o.key = v.value WHERE ${published}
          GROUP BY o.key`,
    params: [userId, JSON.stringify(keys)],
  };
}

/**
 * The newest published outputs under a prefix, each key once, in the order of the keys' bytes, after `after` ("": from the start).
 * Walks the key of outputs; `before` is the first key behind the prefix (null: there is none).
 */
export function listPublished(
  userId: string,
  { prefix, before, after, limit }: { prefix: string; before: string | null; after: string; limit: number },
): Statement {
  const params = [userId, prefix, after, limit];
  return {
    sql: `SELECT ${newest} FROM outputs o
          WHERE ${published} AND o.user_id = ?1 AND o.key >= ?2 AND o.key > ?3 ${before === null ? "" : "AND o.key < ?5"}
          GROUP BY o.key ORDER BY o.key LIMIT ?4`,
    params: before === null ? params : [...params, before],
  };
}

/** Every published output of these keys, the older ones too: for deleting them. Indexes: the keys of outputs and attempts. */
export function readPublishedVersions(userId: string, keys: string[], limit: number): Statement {
  return {
    sql: `SELECT ${columns}, o.uploaded FROM json_each(?2) v
            CROSS JOIN outputs o ON o.user_id = ?1 AND o.key = v.value WHERE ${published}
          LIMIT ?3`,
    params: [userId, JSON.stringify(keys), limit],
  };
}

/** Takes exactly these rows away. Index: the key of outputs. */
export function deleteOutputs(
  userId: string,
  outputs: Pick<OutputRecord, "key" | "job_id" | "attempt">[],
): Statement {
  return {
    sql: `DELETE FROM outputs WHERE rowid IN (
            SELECT o.rowid FROM json_each(?2) v CROSS JOIN outputs o
              ON o.user_id = ?1 AND o.key = v.value ->> 0 AND o.job_id = v.value ->> 1 AND o.attempt = v.value ->> 2)`,
    params: [userId, JSON.stringify(outputs.map(({ key, job_id, attempt }) => [key, job_id, attempt]))],
  };
}

/**
 * What an attempt has uploaded, fenced: only while it runs. Without its lease nothing is recorded, so nothing of it is ever
 * published. Rows changed tell. A repeat writes the same. Indexes: jobs_id, the key of outputs.
 */
export function recordOutputs(
  { userId, jobId, attempt }: { userId: string; jobId: string; attempt: number },
  outputs: Pick<OutputRecord, "key" | "bytes" | "etag" | "uploaded">[],
): Statement {
  const values = outputs.map(({ key, bytes, etag, uploaded }) => [key, bytes, etag, uploaded]);
  return {
    sql: `INSERT INTO outputs (user_id, key, job_id, attempt, bytes, etag, uploaded)
          SELECT j.user_id, v.value ->> 0, j.id, j.attempt, v.value ->> 1, v.value ->> 2, v.value ->> 3
          FROM jobs j CROSS JOIN json_each(?4) v
          WHERE j.id = ?2 AND j.user_id = ?1 AND j.attempt = ?3 AND j.status = 'running'
          ON CONFLICT (user_id, key, job_id, attempt) DO UPDATE
            SET bytes = excluded.bytes, etag = excluded.etag, uploaded = excluded.uploaded`,
    params: [userId, jobId, attempt, JSON.stringify(values)],
  };
}
