/** What the autoscaler counts: the jobs of each rule's queue. Two statements for all rules of a page, however many they are. */
import { limits } from "../../contract/index.ts";
import type { Statement } from "../statement.ts";
import type { RuleKey, ScalingRuleRecord } from "./rules.ts";

/** Where counting ends: as soon as the rule's maximum is reached, roughly. A queue of a million jobs is not counted for the sake of three instances. */
const rungs = [100, 2_000, limits.replicas * limits.renewals];
/** Ended lately, in the whole deployment, the newest first. Of more, the oldest do not count. */
const mostEnded = 20_000;

const ofRule = "user_id = r.user_id AND container_group_id = r.container_group_id";

function counted(index: string, status: string): string {
  const upTo = (limit: number) =>
    `(SELECT COUNT(*) FROM (SELECT 1 FROM jobs INDEXED BY ${index} WHERE ${ofRule} AND status = '${status}' LIMIT ${limit}))`;
  const whens = rungs.map((rung) => `WHEN r.max_replicas * r.jobs_per_replica <= ${rung} THEN ${upTo(rung)}`);
  return `CASE ${whens.join(" ")} END AS ${status}`;
}

const select = `SELECT r.*, ${counted("jobs_queue", "pending")}, ${counted("jobs_running", "running")},
            EXISTS (SELECT 1 FROM groups WHERE ${ofRule} AND paused IS NOT NULL) AS queue_paused,
            (SELECT CASE WHEN error IS NOT NULL THEN at END FROM scaling_events WHERE ${ofRule} ORDER BY seq DESC LIMIT 1) AS failed_at,
            (SELECT begun FROM open_holds WHERE ${ofRule}) AS hold_begun FROM scaling_rules r`;

/** A rule with its queue; jobs that have ended are counted apart, by `readEndedLately`. */
export interface QueueRecord extends ScalingRuleRecord {
  pending: number;
  running: number;
  /** 1: the container group is paused, which the rule need not be. */
  queue_paused: number;
  /** When the failure was told that is the last of the history; null: it ends with something that went well, or is empty. */
  failed_at: number | null;
  /** Of a step down whose hold on grants nobody has seen the end of; null: there is none. */
  hold_begun: number | null;
}

/**
 * Rules after that one and up to the other (null: to the end), in the order of the key, that are not paused. Indexes: the keys of scaling_rules, groups and open_holds; scaling_events_by_rule; jobs_queue and
 * jobs_running, which it reads nothing beside.
 */
export function readQueues(after: RuleKey, limit: number, upTo: RuleKey | null = null): Statement {
  const bound = upTo === null ? "" : "AND (r.user_id, r.container_group_id) <= (?4, ?5)";
  return {
    sql: `${select} WHERE r.paused = 0 AND (r.user_id, r.container_group_id) > (?1, ?2) ${bound}
          ORDER BY r.user_id, r.container_group_id LIMIT ?3`,
    params: [
      ...[after.user_id, after.container_group_id, limit],
      ...(upTo === null ? [] : [upTo.user_id, upTo.container_group_id]),
    ],
  };
}

/** One rule, paused or not. Indexes: as above. */
export function readQueue(userId: string, containerGroupId: string): Statement {
  return {
    sql: `${select} WHERE r.user_id = ?1 AND r.container_group_id = ?2`,
    params: [userId, containerGroupId],
  };
}

export interface EndedRecord extends RuleKey {
  ended: number;
}

/**
 * Jobs that ended within their rule's `idle_threshold_seconds`, by rule; a rule without one has no row. Walks the ends since the longest
 * threshold once, whatever queue they are of: few ends are in an hour, and an index of their own would cost each end a write.
 * Indexes: jobs_ended, the key of scaling_rules.
 */
export function readEndedLately(nowMs: number): Statement {
  return {
    sql: `SELECT r.user_id, r.container_group_id, COUNT(*) AS ended
          FROM (SELECT user_id, container_group_id, ended FROM jobs INDEXED BY jobs_ended
                WHERE ended IS NOT NULL
                  AND ended > ?1 - 1000 * (SELECT COALESCE(MAX(idle_threshold_seconds), 0) FROM scaling_rules)
                ORDER BY ended DESC LIMIT ${mostEnded}) j
          CROSS JOIN scaling_rules r ON r.user_id = j.user_id AND r.container_group_id = j.container_group_id
          WHERE j.ended > ?1 - 1000 * r.idle_threshold_seconds
          GROUP BY r.user_id, r.container_group_id`,
    params: [nowMs],
  };
}

/** The same of one rule. Indexes: the same. */
export function readEndedLatelyOf(userId: string, containerGroupId: string, nowMs: number): Statement {
  return {
    sql: `SELECT r.user_id, r.container_group_id, COUNT(*) AS ended
          FROM scaling_rules r
          CROSS JOIN (SELECT user_id, container_group_id, ended FROM jobs INDEXED BY jobs_ended
                WHERE ended IS NOT NULL AND ended > ?3 - 1000 * (SELECT COALESCE(MAX(idle_threshold_seconds), 0)
                  FROM scaling_rules WHERE user_id = ?1 AND container_group_id = ?2)
                ORDER BY ended DESC LIMIT ${mostEnded}) j
          WHERE r.user_id = ?1 AND r.container_group_id = ?2
            AND j.user_id = ?1 AND j.container_group_id = ?2`,
    params: [userId, containerGroupId, nowMs],
  };
}
