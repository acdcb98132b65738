import { createRoute } from "@hono/zod-openapi";
import { ScalingHistory, ScalingHistoryQuery } from "../../contract/index.ts";
import { prepare } from "../../db/prepare.ts";
import { listEvents, type ScalingEventRecord } from "../../db/scaling/events.ts";
import { readRule } from "../../db/scaling/rules.ts";
import { answer, operation, refusals } from "../operation.ts";
import { noSuchRule, ownerOf, RuleParams } from "./owner.ts";
import { presentEvent } from "./present-decision.ts";

const route = createRoute({
  method: "get",
  path: "/scaling-rules/{id}/events",
  tags: ["Scaling rules"],
  access: "people" as const,
  summary: "What the autoscaler did for a rule, and why; what it tried and failed at",
  description: "Also of a rule that is gone, as long as its history is kept.",
  request: { params: RuleParams, query: ScalingHistoryQuery },
  responses: { 200: answer(ScalingHistory, "One page"), ...refusals(400, 403, 404) },
});

export const listScalingEvents = operation(route, async (c) => {
  const { id } = c.req.valid("param");
  const { cursor, limit, ...owner } = c.req.valid("query");
  const userId = await ownerOf(c, id, owner);
  const page = { beforeSeq: cursor ?? Number.MAX_SAFE_INTEGER, limit: limit + 1 };
  const [events, rule] = await c.env.DB.batch<ScalingEventRecord>([
    prepare(c.env.DB, listEvents(userId, id, page)),
    prepare(c.env.DB, readRule(userId, id)),
  ]);
  const records = events?.results ?? [];
  if (records.length === 0 && cursor === undefined && (rule?.results.length ?? 0) === 0) throw noSuchRule();
  const shown = records.slice(0, limit);
  const next_cursor = records.length > limit ? (shown.at(-1)?.seq ?? null) : null;
  return c.json({ _count: shown.length, events: shown.map(presentEvent), next_cursor }, 200);
});
