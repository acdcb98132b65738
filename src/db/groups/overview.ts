/** What D1 knows of container groups: for people who look at them. Bounded: no statement reads more rows than it says. */
import { JobStatus } from "../../contract/index.ts";
import type { Statement } from "../statement.ts";

/** A source of group ids of `?1` after `?2`, in order, at most `?3`. */
const settings = (table: string) => `SELECT * FROM (SELECT container_group_id AS id FROM ${table}
  WHERE user_id = ?1 AND container_group_id > ?2 ORDER BY container_group_id LIMIT ?3)`;

/** The next group with jobs, after the one in `id`: one step into the index, however many jobs a group has. */
const nextWithJobs = (after: string) => `(SELECT container_group_id FROM jobs
  WHERE user_id = ?1 AND container_group_id > ${after} ORDER BY container_group_id LIMIT 1)`;

/**
 * Ids of a user's groups after `after` ("": from the start), in order: those with jobs, a pause or a scaling rule. Three rows of an index per id.
 * Indexes: jobs_by_user_group, the keys of groups and scaling_rules.
 */
export function listGroups(userId: string, after: string, limit: number): Statement {
  return {
    sql: `WITH RECURSIVE with_jobs (id) AS (
            SELECT ${nextWithJobs("?2")}
            UNION ALL SELECT ${nextWithJobs("with_jobs.id")} FROM with_jobs WHERE with_jobs.id IS NOT NULL LIMIT ?3)
          SELECT id FROM with_jobs WHERE id IS NOT NULL
          UNION ${settings("groups")} UNION ${settings("scaling_rules")} ORDER BY id LIMIT ?3`,
    params: [userId, after, limit],
  };
}

/**
 * One group: its jobs by status, each counted up to `countLimit` + 1; the oldest that waits; what was set. Always one row. Reads up to
 * 5 × (`countLimit` + 1) rows of an index. Indexes: jobs_by_user_group_status, the keys of groups and scaling_rules,
 * scaling_events_by_rule.
 */
export function readGroup(userId: string, containerGroupId: string, countLimit: number): Statement {
  const ofGroup = "user_id = ?1 AND container_group_id = ?2";
  const counts = JobStatus.options.map(
    (status) => `(SELECT COUNT(*) FROM (SELECT 1 FROM jobs INDEXED BY jobs_by_user_group_status
      WHERE ${ofGroup} AND status = '${status}' LIMIT ?3)) AS ${status}`,
  );
  return {
    sql: `SELECT ${counts.join(", ")},
            (SELECT created FROM jobs INDEXED BY jobs_by_user_group_status
              WHERE ${ofGroup} AND status = 'pending' ORDER BY created LIMIT 1) AS oldest_pending,
            (SELECT paused FROM groups WHERE ${ofGroup}) AS paused,
            r.min_replicas, r.max_replicas, r.idle_threshold_seconds, r.updated, r.paused AS scaling_paused,
            (SELECT json_object('at', at, 'action', action, 'replicas_after', replicas_after, 'reason', reason, 'error', error)
              FROM scaling_events WHERE ${ofGroup} ORDER BY seq DESC LIMIT 1) AS last_decision
          FROM (SELECT 1) LEFT JOIN scaling_rules r ON r.user_id = ?1 AND r.container_group_id = ?2`,
    params: [userId, containerGroupId, countLimit + 1],
  };
}

/** `readGroup`'s row. */
export interface GroupRecord extends Record<JobStatus, number> {
  oldest_pending: number | null;
  paused: number | null;
  /** Null, as the next three: no rule. */
  min_replicas: number | null;
  max_replicas: number | null;
  idle_threshold_seconds: number | null;
  updated: number | null;
  scaling_paused: number | null;
  /** JSON of the rule's last event; null: there is none. */
  last_decision: string | null;
}

/** The counts of a row of `readGroup`, cut at `countLimit`, and which of them were. */
export function countsOf(
  record: GroupRecord,
  countLimit: number,
): { jobs: Record<JobStatus, number>; atLeast: JobStatus[] } {
  const cut = JobStatus.options.map((status) => [status, Math.min(record[status], countLimit)]);
  return {
    jobs: Object.fromEntries(cut) as Record<JobStatus, number>,
    atLeast: JobStatus.options.filter((status) => record[status] > countLimit),
  };
}

/**
 * How many pending jobs wait for their retry delay (`delayed`), and when the first is over (`next_available`); among the first `limit` of
 * the queue. Index: jobs_queue, which it reads nothing beside.
 */
export function readDelays(
  userId: string,
  containerGroupId: string,
  nowMs: number,
  limit: number,
): Statement {
  return {
    sql: `SELECT COUNT(*) AS delayed, MIN(available_at) AS next_available FROM (
            SELECT available_at FROM jobs INDEXED BY jobs_queue
            WHERE user_id = ?1 AND container_group_id = ?2 AND status = 'pending' LIMIT ?4)
          WHERE available_at > ?3`,
    params: [userId, containerGroupId, nowMs, limit],
  };
}

/** `readDelays`' row. */
export interface DelayRecord {
  delayed: number;
  next_available: number | null;
}
