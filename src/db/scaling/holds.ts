/** Groups whose grants are held back for a step down: from its mark on, until somebody has seen that the hold is over. */
import type { Statement } from "../statement.ts";
import type { RuleKey } from "./rules.ts";

export interface HoldRecord extends RuleKey {
  org_name: string;
  project_name: string;
  container_group_name: string;
  begun: number;
}

/** Beside `beginStep` downwards, in its transaction: only if that has set the mark. Index: the key of scaling_rules. */
export function openHold(rule: RuleKey & { updated: number }, begunMs: number): Statement {
  return {
    sql: `INSERT OR REPLACE INTO open_holds (user_id, container_group_id, org_name, project_name, container_group_name, begun)
          SELECT user_id, container_group_id, org_name, project_name, container_group_name, ?1 FROM scaling_rules
          WHERE user_id = ?2 AND container_group_id = ?3 AND updated = ?4 AND paused = 0 AND scaled_down = ?1`,
    params: [begunMs, rule.user_id, rule.container_group_id, rule.updated],
  };
}

/** Those whose rule is gone or paused, so that no look at a rule sees them. Few at any time. Index: the key of scaling_rules. */
export function readHoldsWithoutRule(limit: number): Statement {
  return {
    sql: `SELECT * FROM open_holds h WHERE NOT EXISTS (SELECT 1 FROM scaling_rules r
            WHERE r.user_id = h.user_id AND r.container_group_id = h.container_group_id AND r.paused = 0)
          ORDER BY user_id, container_group_id LIMIT ?1`,
    params: [limit],
  };
}

/** It is over, unless another has begun since. Index: the key of open_holds. */
export function closeHold(key: RuleKey, begunMs: number): Statement {
  return {
    sql: "DELETE FROM open_holds WHERE user_id = ?1 AND container_group_id = ?2 AND begun = ?3",
    params: [key.user_id, key.container_group_id, begunMs],
  };
}
