/** Pausing a group: the truth about it. The claim's fence and the queue's head ask the same row (docs/operations.md). */
import type { Statement } from "../statement.ts";

/** In a statement about `jobs`: whether a job's group hands out nothing. Index: the key of groups. */
export const groupIsPaused = `EXISTS (SELECT 1 FROM groups WHERE groups.user_id = jobs.user_id
  AND groups.container_group_id = jobs.container_group_id AND groups.paused IS NOT NULL)`;

/**
 * Since when it is paused (`paused`); a repeat keeps the first time. No row: there is no such user. Indexes: the keys of users and
 * groups.
 */
export function pauseGroup(userId: string, containerGroupId: string, nowMs: number): Statement {
  return {
    sql: `INSERT INTO groups (user_id, container_group_id, paused) SELECT id, ?2, ?3 FROM users WHERE id = ?1
          ON CONFLICT (user_id, container_group_id) DO UPDATE SET paused = COALESCE(paused, excluded.paused)
          RETURNING paused`,
    params: [userId, containerGroupId, nowMs],
  };
}

/** A row without a setting is no row. Index: the key of groups. */
export function resumeGroup(userId: string, containerGroupId: string): Statement {
  return {
    sql: "DELETE FROM groups WHERE user_id = ?1 AND container_group_id = ?2",
    params: [userId, containerGroupId],
  };
}

/** How many jobs could be handed out now (`available`), counted up to `limit`. Index: jobs_queue. */
export function countAvailable(
  userId: string,
  containerGroupId: string,
  nowMs: number,
  limit: number,
): Statement {
  return {
    sql: `SELECT COUNT(*) AS available FROM (
            SELECT 1 FROM jobs WHERE user_id = ?1 AND container_group_id = ?2 AND status = 'pending'
              AND available_at <= ?3 LIMIT ?4)`,
    params: [userId, containerGroupId, nowMs, limit],
  };
}
