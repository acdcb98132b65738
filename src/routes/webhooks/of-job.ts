import { createRoute } from "@hono/zod-openapi";
import { DeliveryList } from "../../contract/index.ts";
import { prepare } from "../../db/prepare.ts";
import { type DeliveryRecord, listDeliveriesOf } from "../../db/webhooks/list.ts";
import { queueOfJob } from "../jobs/queue-of-job.ts";
import { answer, JobParams, operation, refusals } from "../operation.ts";
import { presentDelivery } from "./present.ts";

/** Two events per attempt at most, as many as attempts are listed. */
const maxDeliveries = 1000;

const route = createRoute({
  method: "get",
  path: "/jobs/{id}/deliveries",
  tags: ["Webhooks"],
  access: "people" as const,
  summary: "What the job's webhook was told, by number (of more than 1,000 the newest)",
  request: { params: JobParams },
  responses: { 200: answer(DeliveryList, "The deliveries"), ...refusals(404) },
});

export const listJobDeliveries = operation(route, async (c) => {
  const { id } = c.req.valid("param");
  await queueOfJob(c, id);
  const { results } = await prepare(c.env.DB, listDeliveriesOf(id, maxDeliveries)).all<DeliveryRecord>();
  const deliveries = results.reverse().map(presentDelivery);
  return c.json({ _count: deliveries.length, deliveries }, 200);
});
