/**
 * Outputs in managed storage. A row is published, that is seen by people, if and only if its very attempt has ended as
 * `completed`: every read for people joins the attempt, so the settle publishes without a statement of its own
 * (docs/decisions/0005).
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
const published = `JOIN attempts a ON a.job_id = o.job_id AND a.number = o.attempt AND a."end" = 'completed'`;

/** The newest published output of each of these keys that has one. Indexes: the keys of outputs and attempts. */
export function readPublished(userId: string, keys: string[]): Statement {
  return {
    sql: `SELECT ${newest} FROM json_each(?2) v
            CROSS JOIN outputs o ON o.user_id = ?1 AND o.key = v.value ${published}
          GROUP BY o.key`,
    params: [userId, JSON.stringify(keys)],
  };
}
