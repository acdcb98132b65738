import { z } from "zod";
import { WebhookEvent } from "./job.ts";
import { limits } from "./limits.ts";

const Time = z.iso.datetime();

/** One event of a job on its way to the job's webhook (docs/webhooks.md). */
export const Delivery = z.object({
  id: z.string().describe("`webhook-id`; the same in each try"),
  seq: z.int().describe("For `before`"),
  job_id: z.uuid(),
  number: z.int().describe("Of the job's events: 1, 2, … in the order in which they happened"),
  event: WebhookEvent,
  url: z.string(),
  attempt: z.int().describe("Of the job; 0 while never claimed"),
  machine_id: z.string().nullable(),
  container_group_id: z.string(),
  occurred: Time,
  state: z.enum(["pending", "delivered", "abandoned"]),
  tries: z.int().describe("So far, with one that is under way"),
  next_try: Time.nullable().describe("Not before; while one is under way, when it is taken for lost"),
  delivered: Time.nullable(),
  abandoned: Time.nullable().describe("When it was given up: after a day, or for good reason"),
  last_status: z.int().nullable().describe("HTTP status of the last try; null: there was no answer"),
  last_error: z.string().nullable().describe("What was wrong with the last try, in words"),
});
export type Delivery = z.infer<typeof Delivery>;

export const DeliveryQuery = z.object({
  before: z.coerce.number().int().min(1).optional().describe("`next_before` of the page before this one"),
  limit: z.coerce.number().int().min(1).max(limits.pageSize).default(100),
});
export type DeliveryQuery = z.infer<typeof DeliveryQuery>;

export const DeliveryList = z.object({
  _count: z.int().describe("Length of this page"),
  deliveries: z.array(Delivery),
});
export type DeliveryList = z.infer<typeof DeliveryList>;

export const DeliveryPage = DeliveryList.extend({
  next_before: z.int().nullable().describe("For the next page; null: this is the last"),
});
export type DeliveryPage = z.infer<typeof DeliveryPage>;

/** Whether webhooks are signed, and since when with this secret. */
export const WebhookSecretState = z.object({
  created: Time.nullable().describe("When the secret was made; null: there is none, webhooks go unsigned"),
  previous_until: Time.nullable().describe("Until when the secret before this one signs too"),
});
export type WebhookSecretState = z.infer<typeof WebhookSecretState>;

/** The secret itself is told once; the API can derive it, but does not tell it again. */
export const WebhookSecret = WebhookSecretState.extend({
  secret: z.string().describe("`whsec_…`, as Standard Webhooks writes them"),
});
export type WebhookSecret = z.infer<typeof WebhookSecret>;
