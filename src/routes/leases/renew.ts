import { createRoute } from "@hono/zod-openapi";
import { limits, RenewalAnswer, RenewalRequest } from "../../contract/index.ts";
import type { RenewAnswer } from "../../group/protocol.ts";
import { ApiError } from "../../middleware/api-error.ts";
import { groupOf, ownKey } from "../../middleware/group.ts";
import { readJson } from "../../middleware/read-json.ts";
import { answer, jsonBody, operation, refusals } from "../operation.ts";

const route = createRoute({
  method: "post",
  path: "/leases/renew",
  tags: ["Agents"],
  access: "agents" as const,
  unlimited: true as const,
  summary: "Renew all leases of an agent in one call",
  middleware: [readJson(limits.bodyBytes)],
  request: jsonBody(RenewalRequest),
  responses: { 200: answer(RenewalAnswer, "In the order of the request"), ...refusals(400, 413, 503) },
});

export const renewLeases = operation(route, async (c) => {
  const { machine_id, container_group_id, leases } = c.req.valid("json");
  const key = ownKey(c, container_group_id);
  const held = leases.map((lease) => ({
    jobId: lease.job_id,
    attempt: lease.attempt,
    leaseToken: lease.lease_token,
    commandStarted: lease.command_started,
    progress: lease.progress,
    progressReport: lease.progress_report,
    uploading: lease.uploading,
  }));
  const renewals = await groupOf(c, key).renew(key, machine_id, held);
  if (renewals.length !== leases.length) throw new Error("a renewal was not answered");
  const answers = leases.map(({ job_id, attempt }, index) => ({
    job_id,
    attempt,
    ...leaseAnswer(renewals[index]),
  }));
  return c.json({ leases: answers }, 200);
});

/**
 * A lease whose fate is unknown must not be told canceled, so one such makes the whole call a 503. The agent asks again
 * for all; those that were renewed now are none the worse for it.
 */
function leaseAnswer(renewal: RenewAnswer | undefined) {
  switch (renewal?.status) {
    case "running":
      return { status: "running" as const, lease_seconds: renewal.leaseSeconds };
    case "canceled":
      return { status: "canceled" as const, reason: renewal.reason };
    case "pending":
      // Claimed by nobody, so not by this attempt either.
      return { status: "canceled" as const, reason: "superseded" as const };
    case "unknown":
      return { status: "canceled" as const, reason: "unknown_job" as const };
    case "unavailable":
    case undefined:
      throw new ApiError("unavailable", {});
  }
}
