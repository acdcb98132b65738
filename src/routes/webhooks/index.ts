/** Webhooks: what they are told, and what signs it. */
import { createRouter } from "../operation.ts";
import { listAllDeliveries } from "./list.ts";
import { listJobDeliveries } from "./of-job.ts";
import { getWebhookSecret, rotateWebhookSecret } from "./secret.ts";

export const webhooks = createRouter().openapiRoutes([
  listAllDeliveries,
  listJobDeliveries,
  getWebhookSecret,
  rotateWebhookSecret,
]);
