/** All running jobs, page by page, for the cron sweep. */
import type { Statement } from "../statement.ts";

export interface SweepCursor {
  userId: string;
  containerGroupId: string;
  created: number;
  seq: number;
}

export const sweepStart: SweepCursor = { userId: "", containerGroupId: "", created: 0, seq: 0 };

/** Index: jobs_running, whose order the cursor follows. */
export function readRunning(after: SweepCursor, limit: number): Statement {
  return {
    sql: `SELECT seq, id, user_id, container_group_id, attempt, machine_id, heartbeat_interval, created
          FROM jobs WHERE status = 'running'
            AND (user_id, container_group_id, created, seq) > (?1, ?2, ?3, ?4)
          ORDER BY user_id, container_group_id, created, seq LIMIT ?5`,
    params: [after.userId, after.containerGroupId, after.created, after.seq, limit],
  };
}

/** `readRunning`'s row. */
export interface SweepRecord {
  seq: number;
  id: string;
  user_id: string;
  container_group_id: string;
  attempt: number;
  machine_id: string | null;
  heartbeat_interval: number;
  created: number;
}
