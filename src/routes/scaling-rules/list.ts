import { createRoute } from "@hono/zod-openapi";
import { ScalingRuleList, ScalingRuleQuery } from "../../contract/index.ts";
import { prepare } from "../../db/prepare.ts";
import { listRules, type ScalingRuleRecord } from "../../db/scaling/rules.ts";
import { visibleUserId } from "../../middleware/app-env.ts";
import { answer, operation, refusals } from "../operation.ts";
import { presentRule } from "./present.ts";

const route = createRoute({
  method: "get",
  path: "/scaling-rules",
  tags: ["Scaling rules"],
  access: "people" as const,
  summary: "List scaling rules; the admin sees everybody's",
  request: { query: ScalingRuleQuery },
  responses: { 200: answer(ScalingRuleList, "One page"), ...refusals(400, 403) },
});

export const listAllScalingRules = operation(route, async (c) => {
  const { page_size, page } = c.req.valid("query");
  const bounds = { limit: page_size, offset: (page - 1) * page_size };
  const statement = listRules(visibleUserId(c.var.principal), bounds);
  const { results } = await prepare(c.env.DB, statement).all<ScalingRuleRecord>();
  return c.json({ _count: results.length, rules: results.map(presentRule) }, 200);
});
