import type { ScalingRule } from "../../contract/index.ts";
import type { ScalingRuleRecord } from "../../db/scaling/rules.ts";
import { iso } from "../times.ts";

/** A rule as the wire has it. */
export function presentRule(record: ScalingRuleRecord): ScalingRule {
  return {
    container_group_id: record.container_group_id,
    min_replicas: record.min_replicas,
    max_replicas: record.max_replicas,
    idle_threshold_seconds: record.idle_threshold_seconds,
    jobs_per_replica: record.jobs_per_replica,
    scale_up_cooldown_seconds: record.scale_up_cooldown,
    scale_down_cooldown_seconds: record.scale_down_cooldown,
    paused: record.paused === 1,
    org_name: record.org_name,
    project_name: record.project_name,
    container_group_name: record.container_group_name,
    user_id: record.user_id,
    created: iso(record.created),
    updated: iso(record.updated),
  };
}
