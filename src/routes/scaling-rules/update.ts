import { createRoute } from "@hono/zod-openapi";
import { limits, RuleOwnerQuery, ScalingRule, ScalingRulePatch } from "../../contract/index.ts";
import { prepare } from "../../db/prepare.ts";
import { readRule, type ScalingRuleRecord, updateRule } from "../../db/scaling/rules.ts";
import { ApiError } from "../../middleware/api-error.ts";
import { readJson } from "../../middleware/read-json.ts";
import { answer, jsonBody, operation, refusals } from "../operation.ts";
import { noSuchRule, ownerOf, RuleParams } from "./owner.ts";
import { presentRule } from "./present.ts";

const route = createRoute({
  method: "patch",
  path: "/scaling-rules/{id}",
  tags: ["Scaling rules"],
  access: "people" as const,
  summary: "Change the rule of a container group",
  middleware: [readJson(limits.bodyBytes)],
  request: { params: RuleParams, query: RuleOwnerQuery, ...jsonBody(ScalingRulePatch) },
  responses: { 200: answer(ScalingRule, "The rule as it is now"), ...refusals(400, 403, 404, 413) },
});

export const updateScalingRule = operation(route, async (c) => {
  const { id } = c.req.valid("param");
  const patch = c.req.valid("json");
  const userId = await ownerOf(c, id, c.req.valid("query"));
  const change = {
    minReplicas: patch.min_replicas ?? null,
    maxReplicas: patch.max_replicas ?? null,
    idleThresholdSeconds: patch.idle_threshold_seconds ?? null,
    jobsPerReplica: patch.jobs_per_replica ?? null,
    scaleUpCooldown: patch.scale_up_cooldown_seconds ?? null,
    scaleDownCooldown: patch.scale_down_cooldown_seconds ?? null,
    paused: patch.paused ?? null,
  };
  // In one transaction: what is read is what the change would have been made to.
  const [updated, read] = await c.env.DB.batch<ScalingRuleRecord>([
    prepare(c.env.DB, updateRule(userId, id, change, Date.now())),
    prepare(c.env.DB, readRule(userId, id)),
  ]);
  const rule = updated?.results[0];
  if (rule) return c.json(presentRule(rule), 200);
  const unchanged = read?.results[0];
  if (!unchanged) throw noSuchRule();
  throw outOfOrder(patch, unchanged);
});

/** Names what was asked for, and the bound that stands against it. */
function outOfOrder(patch: ScalingRulePatch, rule: ScalingRuleRecord): ApiError {
  if (patch.min_replicas !== undefined) {
    const max = patch.max_replicas ?? rule.max_replicas;
    const problem = `must not be greater than max_replicas (${max})`;
    return new ApiError("invalid_request", { problem, field: "min_replicas" });
  }
  const problem = `must not be less than min_replicas (${rule.min_replicas})`;
  return new ApiError("invalid_request", { problem, field: "max_replicas" });
}
