import { createRoute } from "@hono/zod-openapi";
import { DoubtAnswer, DoubtRequest, limits } from "../../contract/index.ts";
import { ApiError } from "../../middleware/api-error.ts";
import { readJson } from "../../middleware/read-json.ts";
import { underLease } from "../../middleware/under-lease.ts";
import { type DoubtOutcome, doubtHead } from "../../storage/snapshots/doubt.ts";
import { workerPorts } from "../../storage/worker-ports.ts";
import { answer, JobParams, jsonBody, operation, refusals } from "../operation.ts";

const route = createRoute({
  method: "post",
  path: "/jobs/{id}/checkpoints/doubt",
  tags: ["Agents"],
  access: "agents" as const,
  summary:
    "Say that an object of the head could not be read; the API looks for itself, and believes two machines of a manifest",
  middleware: [readJson(limits.bodyBytes)],
  request: { params: JobParams, ...jsonBody(DoubtRequest) },
  responses: {
    200: answer(DoubtAnswer, "Whether the head has moved"),
    ...refusals(400, 403, 404, 409, 413, 503),
  },
});

export const doubtCheckpoint = operation(route, async (c) => {
  const { prefix, head, chunk, problem, ...proof } = c.req.valid("json");
  const place = await underLease(c, c.req.valid("param").id, proof);
  const doubt = { prefix, head, chunk, problem, machineId: proof.machine_id };
  return c.json(doubtAnswer(await doubtHead(workerPorts(c.env), place, doubt)), 200);
});

function doubtAnswer(outcome: DoubtOutcome): DoubtAnswer {
  switch (outcome.kind) {
    case "judged":
      return { moved: outcome.moved };
    case "unnamed":
      throw new ApiError("invalid_request", { problem: "is not named by the head", field: "chunk" });
    case "unknown":
      throw new ApiError("unavailable", {});
  }
}
