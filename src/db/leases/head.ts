/**
 * The front of a group's queue. Order: higher priority, then jobs that an attempt gave back before fresh ones, then
 * oldest; exactly the order of index jobs_queue, so that depth costs nothing.
 */
import type { Statement } from "../statement.ts";

/** A job that may be handed out, and the machines that must not get it. */
export interface Candidate {
  id: string;
  attempt: number;
  priority: number;
  bannedMachineIds: string[];
  /** Uses managed storage, which only agents with a claim id know. */
  managed: boolean;
  /** Has a webhook that may want to hear of its attempts. */
  webhook: boolean;
}

const order = "ORDER BY priority DESC, fresh, created, available_at, seq";

export function readHead(userId: string, containerGroupId: string, nowMs: number, limit: number): Statement {
  return {
    // 'pending' stands in the text, not as a parameter: only so can SQLite use the partial index.
    sql: `SELECT id, attempt, priority, managed, webhook IS NOT NULL AS has_webhook,
            (SELECT json_group_array(machine_id) FROM bans WHERE job_id = jobs.id AND expires > ?3) AS banned
          FROM jobs WHERE user_id = ?1 AND container_group_id = ?2 AND status = 'pending'
            AND available_at <= ?3 ${order} LIMIT ?4`,
    params: [userId, containerGroupId, nowMs, limit],
  };
}

/** Goes past the jobs that this machine must not have: for a machine that a whole page is closed to (rule 9). */
export function readHeadFor(
  userId: string,
  containerGroupId: string,
  machine: { id: string; knowsManaged: boolean },
  nowMs: number,
  limit: number,
): Statement {
  return {
    sql: `SELECT id, attempt, priority, managed, webhook IS NOT NULL AS has_webhook, '[]' AS banned
          FROM jobs WHERE user_id = ?1 AND container_group_id = ?2 AND status = 'pending'
            AND available_at <= ?3
            AND NOT EXISTS (SELECT 1 FROM bans WHERE job_id = jobs.id AND machine_id = ?4 AND expires > ?3)
            AND managed <= ?6
          ${order} LIMIT ?5`,
    params: [userId, containerGroupId, nowMs, machine.id, limit, machine.knowsManaged ? 1 : 0],
  };
}

export function candidateFromRecord(record: Record<string, unknown>): Candidate {
  return {
    id: record.id as string,
    attempt: record.attempt as number,
    priority: record.priority as number,
    bannedMachineIds: JSON.parse(record.banned as string) as string[],
    managed: record.managed === 1,
    webhook: record.has_webhook === 1,
  };
}
