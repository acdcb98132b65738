import { createRoute } from "@hono/zod-openapi";
import { z } from "zod";
import { ClaimedJob, ClaimQuery, type NodeFacts } from "../../contract/index.ts";
import { ApiError } from "../../middleware/api-error.ts";
import { groupOf, ownKey } from "../../middleware/group.ts";
import { presentJob } from "../jobs/present.ts";
import { answer, operation, refusals } from "../operation.ts";

const route = createRoute({
  method: "get",
  path: "/work",
  tags: ["Agents"],
  access: "agents" as const,
  summary: "Claim the next job of a queue",
  request: { query: ClaimQuery },
  responses: { 200: answer(z.array(ClaimedJob), "One job, or none"), ...refusals(400, 503) },
});

export const claimWork = operation(route, async (c) => {
  // Hono answers HEAD by GET's handler and drops the body: a job would be handed to nobody.
  if (c.req.raw.method === "HEAD") throw new ApiError("invalid_request", { problem: "a claim is a GET" });
  const { machine_id, container_group_id, instance_id, claim_id, ...facts } = c.req.valid("query");
  const key = ownKey(c, container_group_id);
  const request = { machineId: machine_id, instanceId: instance_id, claimId: claim_id, node: nodeOf(facts) };
  const outcome = await groupOf(c, key).claim(key, request);
  if (!outcome.ok) throw new ApiError("unavailable", {});
  if (!outcome.job) return c.json([], 200);
  const lease = outcome.lease && { lease_token: outcome.lease.token, lease_seconds: outcome.lease.seconds };
  return c.json([{ ...presentJob(outcome.job), ...lease }], 200);
});

/** Undefined: it tells nothing, as old workers. */
function nodeOf(facts: Partial<NodeFacts>): Partial<NodeFacts> | undefined {
  return Object.keys(facts).length > 0 ? facts : undefined;
}
