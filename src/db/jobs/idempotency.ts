/**
 * What a client's `Idempotency-Key` has already made (docs/operations.md). The key's row goes first in the insert's batch, and the jobs hang on it:
 * their inserts ask whether the row names their own first id.
 */
import type { Statement } from "../statement.ts";

/** How long a key is known. */
export const keyKeptMs = 24 * 3_600_000;

export interface KeyWrite {
  userId: string;
  /** SHA-256 of the key, hex. */
  keyHash: string;
  /** SHA-256 of route and body, hex. */
  requestHash: string;
  jobIds: string[];
  nowMs: number;
}

/** Takes the key, or takes it over from a submission that is too old to be known; else changes nothing. Index: the key of idempotency_keys. */
export function takeKey(write: KeyWrite): Statement {
  return {
    sql: `INSERT INTO idempotency_keys (user_id, key_hash, request_hash, job_ids, created) VALUES (?1, ?2, ?3, ?4, ?5)
          ON CONFLICT (user_id, key_hash) DO UPDATE SET request_hash = excluded.request_hash,
            job_ids = excluded.job_ids, created = excluded.created
          WHERE idempotency_keys.created <= ?6`,
    params: [
      write.userId,
      write.keyHash,
      write.requestHash,
      JSON.stringify(write.jobIds),
      write.nowMs,
      write.nowMs - keyKeptMs,
    ],
  };
}

/** In an insert of jobs, `?2` the user: whether the key `?4` was taken for the submission whose first job is `?5`. */
export const keyIsOurs = `EXISTS (SELECT 1 FROM idempotency_keys
  WHERE user_id = ?2 AND key_hash = ?4 AND job_ids ->> 0 = ?5)`;

/** What the key was taken for. Index: the key of idempotency_keys. */
export function readKey(userId: string, keyHash: string): Statement {
  return {
    sql: "SELECT request_hash, job_ids FROM idempotency_keys WHERE user_id = ?1 AND key_hash = ?2",
    params: [userId, keyHash],
  };
}

/** `readKey`'s row. */
export interface KeyRecord {
  request_hash: string;
  /** JSON. */
  job_ids: string;
}

/** These jobs of the user, whole, in the order of the ids; those that are gone are left out. Index: jobs_id. */
export function readJobsInOrder(userId: string, jobIds: string[]): Statement {
  return {
    sql: `SELECT jobs.* FROM json_each(?2) v CROSS JOIN jobs ON jobs.id = v.value AND jobs.user_id = ?1 ORDER BY v.key`,
    params: [userId, JSON.stringify(jobIds)],
  };
}

/** Forgets up to `limit` keys, the oldest first; a row for each. Index: idempotency_keys_created. */
export function forgetKeys(createdUntilMs: number, limit: number): Statement {
  return {
    sql: `DELETE FROM idempotency_keys WHERE rowid IN (
            SELECT rowid FROM idempotency_keys WHERE created <= ?1 ORDER BY created LIMIT ?2)
          RETURNING 1 AS forgotten`,
    params: [createdUntilMs, limit],
  };
}
