/** `POST /leases/renew`: all leases of this agent in one call. */
import { z } from "zod";
import { RenewalAnswer, type RenewalRequest } from "../../../src/contract/index.ts";
import type { ApiClient } from "./client.ts";
import type { Answer } from "./fault.ts";
import { LeaseSeconds } from "./lease-seconds.ts";

const Renewed = RenewalAnswer.extend({
  leases: z.array(RenewalAnswer.shape.leases.element.extend({ lease_seconds: LeaseSeconds.optional() })),
});

/** Renews leases; the answer is in request order. */
export function renewLeases(
  client: ApiClient,
  body: RenewalRequest,
  bounds: { timeoutMs: number; signal?: AbortSignal },
): Promise<Answer<RenewalAnswer>> {
  return client.call({ method: "POST", path: "/leases/renew", body, answer: Renewed, ...bounds });
}
