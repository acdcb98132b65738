/** The autoscaler's own marks on a rule: written before SaladCloud is asked, so that a crash in between leaves a cooldown rather than a surprise. */
import type { Statement } from "../statement.ts";

export type Direction = "up" | "down";

/**
 * A step begins. No row comes back, and nothing may be asked of SaladCloud, when the rule is gone, paused, or another than the one
 * that was decided on. Index: the key of scaling_rules.
 */
export function beginStep(
  rule: { user_id: string; container_group_id: string; updated: number },
  direction: Direction,
  nowMs: number,
): Statement {
  return {
    sql: `UPDATE scaling_rules SET scaled_${direction} = ?1
          WHERE user_id = ?2 AND container_group_id = ?3 AND updated = ?4 AND paused = 0 RETURNING 1 AS begun`,
    params: [nowMs, rule.user_id, rule.container_group_id, rule.updated],
  };
}

/** It was certainly not done, so no cooldown follows: as before, unless another step has begun. Index: the key of scaling_rules. */
export function revertStep(
  rule: { user_id: string; container_group_id: string; scaled_up: number | null; scaled_down: number | null },
  direction: Direction,
  begunMs: number,
): Statement {
  const column = `scaled_${direction}` as const;
  return {
    sql: `UPDATE scaling_rules SET ${column} = ?1
          WHERE user_id = ?2 AND container_group_id = ?3 AND ${column} = ?4`,
    params: [rule[column], rule.user_id, rule.container_group_id, begunMs],
  };
}
