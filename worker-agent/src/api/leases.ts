/** `POST /leases/renew`: all leases of this agent in one call. */
import { RenewalAnswer, type RenewalRequest } from "../../../src/contract/index.ts";
import type { ApiClient } from "./client.ts";
import type { Answer } from "./fault.ts";

/** Renews leases; the answer is in request order. */
export function renewLeases(
  client: ApiClient,
  body: RenewalRequest,
  bounds: { timeoutMs: number; signal?: AbortSignal },
): Promise<Answer<RenewalAnswer>> {
  return client.call({ method: "POST", path: "/leases/renew", body, answer: RenewalAnswer, ...bounds });
}
