/**
 * Bytes of what is removed from the tables: their prefixes are noted in the same batch, and the storage sweep (src/cron) deletes
 * what is below them once every URL has expired. The keys are those of src/storage/keys.ts, as SQL; a test compares them.
 */
import type { Statement } from "../statement.ts";

/** An agent's URL lives for 305 s at most, and what began in time may end later. */
export const garbageDelayMs = 15 * 60_000;
/** A person's URL lives for an hour, and writes below the root of an organization that may be gone by then. */
export const rootGarbageDelayMs = 75 * 60_000;

/** Followed by a SELECT of both, and `again`. */
export const note = "INSERT INTO storage_garbage (prefix, due)";
/** Noted twice: the later time holds. The WHERE lets SQLite tell this clause from a join's. */
export const again = "ON CONFLICT (prefix) DO UPDATE SET due = MAX(due, excluded.due)";

/** What users other than this one have anywhere, and the rows of their outputs. Walks the users: for the admin's clearing. */
export function discardUsersStorage(exceptUserId: string, dueMs: number): Statement[] {
  return [
    {
      sql: `${note} SELECT area.value || '/' || users.id || '/', ?2 FROM users, json_each('["files","logs","outputs","snapshots"]') area
            WHERE users.id <> ?1 ${again}`,
      params: [exceptUserId, dueMs],
    },
    { sql: "DELETE FROM outputs WHERE user_id <> ?1", params: [exceptUserId] },
  ];
}

/**
 * What these jobs have: `jobs` is a subquery of their ids, with its own parameters before `?due`. Their rows of outputs and
 * checkpoints go at once, so that nobody sees what is being deleted.
 */
export function discardJobsStorage(jobs: { sql: string; params: unknown[] }, dueMs: number): Statement[] {
  const due = `?${jobs.params.length + 1}`;
  return [
    {
      sql: `${note} SELECT area.value || '/' || jobs.user_id || '/' || jobs.id || '/', ${due}
            FROM jobs, json_each('["outputs","snapshots"]') area
            WHERE jobs.managed = 1 AND jobs.id IN (${jobs.sql}) ${again}`,
      params: [...jobs.params, dueMs],
    },
    noteLogs(jobs, due, dueMs),
    { sql: `DELETE FROM outputs WHERE job_id IN (${jobs.sql})`, params: jobs.params },
    { sql: `DELETE FROM checkpoints WHERE job_id IN (${jobs.sql})`, params: jobs.params },
  ];
}

/** Logs of these jobs, with managed storage or without; a job that was never handed out has none. `due`: the parameter after those of `jobs`. */
export function noteLogs(jobs: { sql: string; params: unknown[] }, due: string, dueMs: number): Statement {
  return {
    sql: `${note} SELECT 'logs/' || jobs.user_id || '/' || jobs.id || '/', ${due} FROM jobs
          WHERE jobs.attempt > 0 AND jobs.id IN (${jobs.sql}) ${again}`,
    params: [...jobs.params, dueMs],
  };
}

/** Outputs that were kept when their jobs were purged, of all users. Walks the outputs: for the admin's clearing. */
export function discardKeptOutputs(dueMs: number): Statement[] {
  return [
    {
      sql: `${note} SELECT DISTINCT 'outputs/' || user_id || '/' || job_id || '/', ?1 FROM outputs WHERE kept = 1 ${again}`,
      params: [dueMs],
    },
    { sql: "DELETE FROM outputs WHERE kept = 1", params: [] },
  ];
}
