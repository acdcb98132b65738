import { createRoute } from "@hono/zod-openapi";
import type { Context } from "hono";
import { limits, NewScalingRule, ScalingRule } from "../../contract/index.ts";
import { prepare } from "../../db/prepare.ts";
import { recordGroups } from "../../db/salad/groups.ts";
import { insertRule, readRule, type ScalingRuleRecord } from "../../db/scaling/rules.ts";
import { ApiError } from "../../middleware/api-error.ts";
import type { AppEnv } from "../../middleware/app-env.ts";
import { readJson } from "../../middleware/read-json.ts";
import { answer, jsonBody, operation, refusals } from "../operation.ts";
import { groupsOf } from "./groups-of.ts";
import { presentRule } from "./present.ts";

const route = createRoute({
  method: "post",
  path: "/scaling-rules",
  tags: ["Scaling rules"],
  access: "people" as const,
  summary: "Scale a container group with its queue",
  description:
    "The group must exist: Salad is asked with the request's own `Salad-Api-Key`, or else with the deployment's. A rule of the admin " +
    "counts the admin's own jobs.",
  middleware: [readJson(limits.bodyBytes)],
  request: jsonBody(NewScalingRule),
  responses: { 201: answer(ScalingRule, "The new rule"), ...refusals(400, 403, 413, 503) },
});

export const createScalingRule = operation(route, async (c) => {
  const rule = c.req.valid("json");
  const { userId, role } = c.var.principal;
  const { orgName, projectName } = placeOf(c, rule);
  const known = await prepare(c.env.DB, readRule(userId, rule.container_group_id)).first();
  if (known) throw taken(known);

  const groups = await groupsOf(c, orgName, projectName);
  const group = groups.find(({ id }) => id === rule.container_group_id);
  if (!group) {
    const problem = `Salad knows no such container group in ${orgName}/${projectName}`;
    throw new ApiError("invalid_request", { problem, field: "container_group_id" });
  }

  const nowMs = Date.now();
  const insert = insertRule({
    userId,
    containerGroupId: group.id,
    orgName,
    projectName,
    containerGroupName: group.name,
    minReplicas: rule.min_replicas,
    maxReplicas: rule.max_replicas,
    idleThresholdSeconds: rule.idle_threshold_seconds,
    jobsPerReplica: rule.jobs_per_replica,
    scaleUpCooldown: rule.scale_up_cooldown_seconds,
    scaleDownCooldown: rule.scale_down_cooldown_seconds,
    paused: rule.paused,
    created: nowMs,
  });
  // The admin is of no organization, whose nodes the list would be about.
  const record = role === "admin" ? [] : [recordGroups(userId, projectName, groups, nowMs)];
  const [inserted] = await c.env.DB.batch<ScalingRuleRecord>(
    [insert, ...record].map((statement) => prepare(c.env.DB, statement)),
  );
  const made = inserted?.results[0];
  if (!made) throw taken(await prepare(c.env.DB, readRule(userId, rule.container_group_id)).first());
  return c.json(presentRule(made), 201);
});

/** `own`: the caller's rule for the group, if it is his. Whose else it is, is not told. */
const taken = (own: unknown) =>
  new ApiError("invalid_request", {
    problem: own
      ? "has a scaling rule already: PATCH it, or DELETE it first"
      : "has a scaling rule of another user already",
    field: "container_group_id",
  });

/** The credential's organization and project; the admin, who has none, names them. */
function placeOf(c: Context<AppEnv>, rule: NewScalingRule): { orgName: string; projectName: string } {
  const { role, ...own } = c.var.principal;
  const named = role === "admin" ? { orgName: rule.org_name, projectName: rule.project_name } : own;
  const required = (name: string | undefined, field: string) => {
    if (name !== undefined) return name;
    throw new ApiError("invalid_request", { problem: "is missing: the admin has none", field });
  };
  return {
    orgName: required(named.orgName, "org_name"),
    projectName: required(named.projectName, "project_name"),
  };
}
