/** Scaling rules: one for each container group of a user. Each statement names its fence, and the index that it uses. */
import type { ScalingRuleRow } from "../schema.ts";
import type { Statement } from "../statement.ts";

export interface RuleKey {
  user_id: string;
  container_group_id: string;
}

/** A row as raw SQL returns it. */
export interface ScalingRuleRecord extends RuleKey {
  org_name: string;
  project_name: string;
  container_group_name: string;
  min_replicas: number;
  max_replicas: number;
  idle_threshold_seconds: number;
  jobs_per_replica: number;
  scale_up_cooldown: number;
  scale_down_cooldown: number;
  paused: number;
  scaled_up: number | null;
  scaled_down: number | null;
  created: number;
  updated: number;
}

/**
 * Writes nothing when the group has a rule already, whosever it is: no row comes back. Two users' rules would pull one group of SaladCloud to and
 * fro. Walks the key, as `readOwners` does: rules are made rarely.
 */
export function insertRule(rule: Omit<ScalingRuleRow, "updated" | "scaledUp" | "scaledDown">): Statement {
  return {
    sql: `INSERT INTO scaling_rules (user_id, container_group_id, org_name, project_name, container_group_name,
            min_replicas, max_replicas, idle_threshold_seconds, created, updated,
            jobs_per_replica, scale_up_cooldown, scale_down_cooldown, paused)
          SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9, ?10, ?11, ?12, ?13
          WHERE NOT EXISTS (SELECT 1 FROM scaling_rules WHERE container_group_id = ?2)
          ON CONFLICT DO NOTHING RETURNING *`,
    params: [
      ...[rule.userId, rule.containerGroupId, rule.orgName, rule.projectName, rule.containerGroupName],
      ...[rule.minReplicas, rule.maxReplicas, rule.idleThresholdSeconds, rule.created],
      ...[rule.jobsPerReplica, rule.scaleUpCooldown, rule.scaleDownCooldown, Number(rule.paused)],
    ],
  };
}

/** Index: the key of scaling_rules. */
export function readRule(userId: string, containerGroupId: string): Statement {
  return {
    sql: "SELECT * FROM scaling_rules WHERE user_id = ?1 AND container_group_id = ?2",
    params: [userId, containerGroupId],
  };
}

/** What `null` leaves as it is. */
export interface RuleChange {
  minReplicas: number | null;
  maxReplicas: number | null;
  idleThresholdSeconds: number | null;
  jobsPerReplica: number | null;
  scaleUpCooldown: number | null;
  scaleDownCooldown: number | null;
  paused: boolean | null;
}

/**
 * Changes what is given, unless the outcome had min > max: two changes at once, each right by itself, must not make it so. No row comes
 * back then, nor when there is no such rule. `updated` is another after each change, also of two in a millisecond: the autoscaler's fence.
 * Index: the key of scaling_rules.
 */
export function updateRule(
  userId: string,
  containerGroupId: string,
  change: RuleChange,
  nowMs: number,
): Statement {
  return {
    sql: `UPDATE scaling_rules SET min_replicas = COALESCE(?3, min_replicas), max_replicas = COALESCE(?4, max_replicas),
            idle_threshold_seconds = COALESCE(?5, idle_threshold_seconds), updated = MAX(?6, updated + 1),
            jobs_per_replica = COALESCE(?7, jobs_per_replica), scale_up_cooldown = COALESCE(?8, scale_up_cooldown),
            scale_down_cooldown = COALESCE(?9, scale_down_cooldown), paused = COALESCE(?10, paused)
          WHERE user_id = ?1 AND container_group_id = ?2
            AND COALESCE(?3, min_replicas) <= COALESCE(?4, max_replicas)
          RETURNING *`,
    params: [
      userId,
      containerGroupId,
      change.minReplicas,
      change.maxReplicas,
      change.idleThresholdSeconds,
      nowMs,
      change.jobsPerReplica,
      change.scaleUpCooldown,
      change.scaleDownCooldown,
      change.paused === null ? null : Number(change.paused),
    ],
  };
}

/** Rows changed tell whether it was there. Index: the key of scaling_rules. */
export function deleteRule(userId: string, containerGroupId: string): Statement {
  return {
    sql: "DELETE FROM scaling_rules WHERE user_id = ?1 AND container_group_id = ?2",
    params: [userId, containerGroupId],
  };
}

/** Of all users. */
export function clearRules(): Statement {
  return { sql: "DELETE FROM scaling_rules", params: [] };
}

/**
 * One page in the order of the key; `null`: everybody's, for the admin. Index: the key of scaling_rules, which also is the order, so nothing
 * is sorted.
 */
export function listRules(userId: string | null, page: { limit: number; offset: number }): Statement {
  const order = "ORDER BY user_id, container_group_id LIMIT ?1 OFFSET ?2";
  const { limit, offset } = page;
  return userId === null
    ? { sql: `SELECT * FROM scaling_rules ${order}`, params: [limit, offset] }
    : { sql: `SELECT * FROM scaling_rules WHERE user_id = ?3 ${order}`, params: [limit, offset, userId] };
}

/**
 * Who has a rule for that group: two are enough to know that it is ambiguous. Walks the key: for the admin alone, and a deployment has
 * a few thousand rules at most.
 */
export function readOwners(containerGroupId: string): Statement {
  return {
    sql: "SELECT user_id FROM scaling_rules WHERE container_group_id = ?1 LIMIT 2",
    params: [containerGroupId],
  };
}
export interface OwnerRecord {
  user_id: string;
}
