/** `GET /work`: the claim. */
import { z } from "zod";
import { ClaimedJob, type ClaimQuery } from "../../../src/contract/index.ts";
import type { ApiClient } from "./client.ts";
import type { Answer } from "./fault.ts";

/** A job with the lease that our agent needs; an API that grants none is not one we can work for. */
export const LeasedJob = ClaimedJob.required({ lease_token: true, lease_seconds: true });
export type LeasedJob = z.infer<typeof LeasedJob>;

/** Asks for one job; an empty list is an answer too. Repeated with the same `claim_id`, it gets the same attempt. */
export function claimJob(
  client: ApiClient,
  query: ClaimQuery,
  bounds: { timeoutMs: number; signal?: AbortSignal },
): Promise<Answer<LeasedJob[]>> {
  return client.call({ method: "GET", path: "/work", query, answer: z.array(LeasedJob).max(1), ...bounds });
}
