import type { Delivery, WebhookSecretState } from "../../contract/index.ts";
import type { DeliveryRecord } from "../../db/webhooks/list.ts";
import { type SecretNonces, secretOverlapMs, signingNonces } from "../../webhooks/secret.ts";
import { iso, isoOrNull } from "../times.ts";

/** A delivery on the wire. */
export function presentDelivery({ created, due, ...delivery }: DeliveryRecord): Delivery {
  return {
    ...delivery,
    occurred: iso(created),
    state: delivery.delivered !== null ? "delivered" : delivery.abandoned !== null ? "abandoned" : "pending",
    next_try: isoOrNull(due),
    delivered: isoOrNull(delivery.delivered),
    abandoned: isoOrNull(delivery.abandoned),
  };
}

/** What of a secret is told: not the secret. */
export function presentSecretState(user: SecretNonces, nowMs: number): WebhookSecretState {
  const { webhook_rotated: rotatedMs } = user;
  const both = signingNonces(user, nowMs).length > 1;
  return {
    created: isoOrNull(rotatedMs),
    previous_until: rotatedMs !== null && both ? iso(rotatedMs + secretOverlapMs) : null,
  };
}
