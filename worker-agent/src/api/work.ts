/** `GET /work`: the claim. */
import { z } from "zod";
import { ClaimedJob, type ClaimQuery, StopSignal } from "../../../src/contract/index.ts";
import type { ApiClient } from "./client.ts";
import type { Answer } from "./fault.ts";
import { LeaseSeconds } from "./lease-seconds.ts";

/**
 * What the agent needs of a job, and no more: fields that an older API does not know yet must not stop it. An API that
 * grants no lease is not one it can work for.
 */
export const LeasedJob = ClaimedJob.pick({
  id: true,
  attempt: true,
  command: true,
  arguments: true,
  environment: true,
  compression: true,
  sync: true,
  input_bucket: true,
  input_prefix: true,
  checkpoint_bucket: true,
  checkpoint_prefix: true,
  output_bucket: true,
  output_prefix: true,
  lease_token: true,
  lease_seconds: true,
})
  .required({ lease_token: true })
  .extend({
    lease_seconds: LeaseSeconds,
    stop_signal: StopSignal.default("SIGTERM"),
    stop_grace_seconds: ClaimedJob.shape.stop_grace_seconds.default(30),
    timeout_seconds: ClaimedJob.shape.timeout_seconds.default(null),
    /** How far earlier attempts have come; only the step matters. */
    progress: z.object({ step: z.number() }).nullish().catch(null),
    stall_timeout_seconds: ClaimedJob.shape.stall_timeout_seconds.default(null),
  });
export type LeasedJob = z.infer<typeof LeasedJob>;

/** Asks for one job; an empty list is an answer too. Repeated with the same `claim_id`, it gets the same attempt. */
export function claimJob(
  client: ApiClient,
  query: ClaimQuery,
  bounds: { timeoutMs: number; signal?: AbortSignal },
): Promise<Answer<LeasedJob[]>> {
  return client.call({ method: "GET", path: "/work", query, answer: z.array(LeasedJob).max(1), ...bounds });
}
