/** The one place that decides what became of a call and what may be tried again. */
import { z } from "zod";
import { ErrorBody, RefusalReason } from "../../../src/contract/index.ts";

/**
 * - `lost`: no answer of the API: network, timeout, 5xx, or something between us and it answered. The call may have been
 *   applied: repeat exactly the same.
 * - `busy`: 429; not applied, later.
 * - `unauthorized`: 401, 403: a key was revoked or is not known yet; repeat slowly, a person may mend it.
 * - `refused`: 404, 409 in the API's own words: this lease or job is not ours; never repeat.
 * - `invalid`: the API does not understand us; repeating the same is pointless.
 */
export type Fault = "lost" | "busy" | "unauthorized" | "refused" | "invalid";

export interface Failure {
  ok: false;
  fault: Fault;
  message: string;
  /** Of the HTTP answer, where there was one and it was no success. */
  status?: number;
  reason?: RefusalReason;
}

export type Answer<T> = { ok: true; value: T } | Failure;

/** Whether the same call may succeed later. */
export function isRetryable(fault: Fault): boolean {
  return fault === "lost" || fault === "busy" || fault === "unauthorized";
}

/** No HTTP answer at all. */
export function classifyError(error: unknown): Failure {
  const cause = error instanceof Error && error.cause instanceof Error ? ` (${error.cause.message})` : "";
  return { ok: false, fault: "lost", message: `${error instanceof Error ? error.message : error}${cause}` };
}

/** A newer API may know errors and reasons that we do not: they are still its own words. */
const SpokenError = ErrorBody.extend({
  error: z.string(),
  reason: RefusalReason.optional().catch(undefined),
});

/** An answer other than 2xx. */
export function classifyStatus(status: number, body: unknown): Failure {
  const parsed = SpokenError.safeParse(body);
  const told = parsed.success ? parsed.data : undefined;
  return {
    ok: false,
    fault: faultOf(status, told !== undefined),
    status,
    message: `${status} ${told?.message ?? "without the API's explanation"}`,
    reason: told?.reason,
  };
}

/** Whether this answer speaks of who asks. */
export function isUnauthorized(status: number | undefined): boolean {
  return status === 401 || status === 403;
}

function faultOf(status: number, spokenByApi: boolean): Fault {
  if (status === 429) return "busy";
  if (isUnauthorized(status)) return "unauthorized";
  // A captive portal, a proxy's page or a redirect says nothing about our lease.
  if (!spokenByApi || status < 400 || status === 408 || status >= 500) return "lost";
  return status === 404 || status === 409 ? "refused" : "invalid";
}
