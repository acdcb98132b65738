import { createRoute } from "@hono/zod-openapi";
import { HeartbeatAnswer, Holder, limits } from "../../contract/index.ts";
import type { RenewAnswer } from "../../group/protocol.ts";
import { ApiError } from "../../middleware/api-error.ts";
import { groupOf, ownKey } from "../../middleware/group.ts";
import { readJson } from "../../middleware/read-json.ts";
import { answer, JobParams, jsonBody, operation, refusals } from "../operation.ts";

const route = createRoute({
  method: "post",
  path: "/jobs/{id}/heartbeat",
  tags: ["Agents"],
  access: "agents" as const,
  unlimited: true as const,
  summary: "Renew the lease of one job",
  middleware: [readJson(limits.bodyBytes)],
  request: { params: JobParams, ...jsonBody(Holder) },
  responses: { 200: answer(HeartbeatAnswer, "Go on, or drop the job"), ...refusals(400, 404, 413, 503) },
});

export const heartbeat = operation(route, async (c) => {
  const { machine_id, container_group_id, attempt, lease_token } = c.req.valid("json");
  const lease = { jobId: c.req.valid("param").id, attempt, leaseToken: lease_token };
  const key = ownKey(c, container_group_id);
  const [renewal] = await groupOf(c, key).renew(key, machine_id, [lease]);
  if (!renewal) throw new Error("a renewal was not answered");
  return c.json(heartbeatAnswer(renewal), 200);
});

function heartbeatAnswer(renewal: RenewAnswer): HeartbeatAnswer {
  switch (renewal.status) {
    case "running":
      return { status: "running", lease_seconds: renewal.leaseSeconds };
    case "canceled":
      return { status: "canceled", reason: renewal.reason };
    case "pending":
      return { status: "pending" };
    case "unknown":
      throw new ApiError("not_found", { what: "job" });
    case "unavailable":
      throw new ApiError("unavailable", {});
  }
}
