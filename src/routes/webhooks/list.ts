import { createRoute } from "@hono/zod-openapi";
import { DeliveryPage, DeliveryQuery } from "../../contract/index.ts";
import { prepare } from "../../db/prepare.ts";
import { type DeliveryRecord, listDeliveries } from "../../db/webhooks/list.ts";
import { visibleUserId } from "../../middleware/app-env.ts";
import { answer, operation, refusals } from "../operation.ts";
import { presentDelivery } from "./present.ts";

const route = createRoute({
  method: "get",
  path: "/deliveries",
  tags: ["Webhooks"],
  access: "people" as const,
  summary: "What webhooks were told, or are still to be told, newest first",
  request: { query: DeliveryQuery },
  responses: { 200: answer(DeliveryPage, "One page"), ...refusals(400) },
});

export const listAllDeliveries = operation(route, async (c) => {
  const { before, limit } = c.req.valid("query");
  // One more than the page: whether another follows.
  const statement = listDeliveries(visibleUserId(c.var.principal), before ?? null, limit + 1);
  const { results } = await prepare(c.env.DB, statement).all<DeliveryRecord>();
  const deliveries = results.slice(0, limit).map(presentDelivery);
  const next = results.length > limit ? (deliveries.at(-1)?.seq ?? null) : null;
  return c.json({ _count: deliveries.length, deliveries, next_before: next }, 200);
});
