import type { Statement } from "../statement.ts";

/** One job, whole; of this user only, or anybody's for the admin (`null`). Index: jobs_id. */
export function readJobOf(userId: string | null, jobId: string): Statement {
  return userId === null
    ? { sql: "SELECT * FROM jobs WHERE id = ?1", params: [jobId] }
    : { sql: "SELECT * FROM jobs WHERE id = ?1 AND user_id = ?2", params: [jobId, userId] };
}

/** Whose queue a job is in: `user_id`, `container_group_id`. A job can be large; this reads none of it. Index: jobs_id. */
export function readQueueOf(userId: string | null, jobId: string): Statement {
  const sql = "SELECT user_id, container_group_id FROM jobs WHERE id = ?1";
  return userId === null
    ? { sql, params: [jobId] }
    : { sql: `${sql} AND user_id = ?2`, params: [jobId, userId] };
}
export interface QueueRecord {
  user_id: string;
  container_group_id: string;
}

/** Whose job it is and how many attempts it has had: `user_id`, `attempt`. Index: jobs_id. */
export function readAttemptsOf(userId: string | null, jobId: string): Statement {
  const sql = "SELECT user_id, attempt FROM jobs WHERE id = ?1";
  return userId === null
    ? { sql, params: [jobId] }
    : { sql: `${sql} AND user_id = ?2`, params: [jobId, userId] };
}
export interface AttemptsRecord {
  user_id: string;
  /** Number of the newest; 0: there was none. */
  attempt: number;
}
