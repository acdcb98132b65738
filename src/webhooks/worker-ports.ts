import { d1Port } from "../db/prepare.ts";
import { type Bindings, configOf } from "../env.ts";
import { writeLog } from "../log.ts";
import type { WebhookPorts } from "./ports.ts";
import { post } from "./post.ts";

/** D1 and `fetch` of the Worker, or of an object. */
export function webhookPorts(env: Bindings): WebhookPorts {
  const { signingKey, privateWebhooks } = configOf(env);
  return {
    d1: d1Port(env.DB),
    post,
    nowMs: () => Date.now(),
    random: () => Math.random(),
    operationId: () => crypto.randomUUID(),
    signingKey,
    privateAllowed: privateWebhooks,
    log: writeLog,
  };
}
