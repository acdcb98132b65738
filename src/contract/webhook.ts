import { z } from "zod";
import { WebhookEvent } from "./job.ts";
import { limits } from "./limits.ts";
import { wholeNumber } from "./text.ts";
import { Time } from "./time.ts";

/** One event of a job on its way to the job's webhook (docs/webhooks.md). */
export const Delivery = z.object({
  id: z.string().describe("`webhook-id`; the same in each try"),
  seq: z.int().describe("For `before`"),
  job_id: z.uuid().describe("The job that it tells of"),
  number: z.int().describe("Of the job's events: 1, 2, … in the order in which they happened"),
  event: WebhookEvent.describe("What happened"),
  url: z.string().describe("Where it goes: the job's `webhook`"),
  attempt: z.int().describe("Of the job; 0 while never claimed"),
  machine_id: z.string().nullable().describe("Machine of that attempt; null: none"),
  container_group_id: z.string().describe("The job's queue"),
  occurred: Time.describe("When it happened"),
  state: z.enum(["pending", "delivered", "abandoned"]).describe("Whether another try is to come"),
  tries: z.int().describe("So far, with one that is under way"),
  next_try: Time.nullable().describe("Not before; while one is under way, when it is taken for lost"),
  delivered: Time.nullable().describe("When the receiver took it"),
  abandoned: Time.nullable().describe("When it was given up: after a day, or for good reason"),
  last_status: z.int().nullable().describe("HTTP status of the last try; null: there was no answer"),
  last_error: z.string().nullable().describe("What was wrong with the last try, in words"),
});
export type Delivery = z.infer<typeof Delivery>;

export const DeliveryQuery = z.object({
  before: wholeNumber(1, Number.MAX_SAFE_INTEGER)
    .optional()
    .describe("`next_before` of the page before this one"),
  limit: wholeNumber(1, limits.pageSize).default(100).describe("Deliveries of one page, at most"),
});
export type DeliveryQuery = z.infer<typeof DeliveryQuery>;

export const DeliveryList = z.object({
  _count: z.int().describe("Length of this page"),
  deliveries: z.array(Delivery).describe("Newest first"),
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
