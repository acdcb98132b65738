/** The POST of one try. The body is the same in each; its time and signatures are not. */
import type { LeasedDelivery } from "../db/webhooks/leases.ts";
import type { WebhookPorts, WebhookRequest } from "./ports.ts";
import { base64, hmac, secretBytes, signingNonces } from "./secret.ts";

export async function requestOf(ports: WebhookPorts, delivery: LeasedDelivery): Promise<WebhookRequest> {
  const body = bodyOf(delivery);
  const nowMs = ports.nowMs();
  const seconds = String(Math.floor(nowMs / 1000));
  const signatures: string[] = [];
  for (const nonce of ports.signingKey === null ? [] : signingNonces(delivery, nowMs)) {
    const secret = await secretBytes(ports.signingKey ?? "", delivery.user_id, nonce);
    signatures.push(`v1,${base64(await hmac(secret, `${delivery.id}.${seconds}.${body}`))}`);
  }
  return {
    url: delivery.url,
    body,
    headers: {
      "content-type": "application/json",
      "user-agent": "kelpie-edge",
      // Kelpie's; no credential goes to where a job points.
      "x-kelpie-key": "",
      "webhook-id": delivery.id,
      "webhook-timestamp": seconds,
      ...(signatures.length > 0 ? { "webhook-signature": signatures.join(" ") } : {}),
    },
  };
}

/** Kelpie's four fields, and ours. */
function bodyOf(delivery: LeasedDelivery): string {
  return JSON.stringify({
    status: delivery.event === "interrupted" ? "pending" : delivery.event,
    job_id: delivery.job_id,
    machine_id: delivery.machine_id,
    container_group_id: delivery.container_group_id,
    event: delivery.event,
    attempt: delivery.attempt,
    number: delivery.number,
    occurred_at: new Date(delivery.created).toISOString(),
  });
}
