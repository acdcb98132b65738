import { createRoute } from "@hono/zod-openapi";
import { RuleOwnerQuery, ScalingRule } from "../../contract/index.ts";
import { prepare } from "../../db/prepare.ts";
import { readRule, type ScalingRuleRecord } from "../../db/scaling/rules.ts";
import { answer, operation, refusals } from "../operation.ts";
import { noSuchRule, ownerOf, RuleParams } from "./owner.ts";
import { presentRule } from "./present.ts";

const route = createRoute({
  method: "get",
  path: "/scaling-rules/{id}",
  tags: ["Scaling rules"],
  access: "people" as const,
  summary: "The rule of a container group",
  request: { params: RuleParams, query: RuleOwnerQuery },
  responses: { 200: answer(ScalingRule, "The rule"), ...refusals(400, 403, 404) },
});

export const getScalingRule = operation(route, async (c) => {
  const { id } = c.req.valid("param");
  const userId = await ownerOf(c, id, c.req.valid("query"));
  const rule = await prepare(c.env.DB, readRule(userId, id)).first<ScalingRuleRecord>();
  if (!rule) throw noSuchRule();
  return c.json(presentRule(rule), 200);
});
