import { createRoute } from "@hono/zod-openapi";
import { CommitAnswer, CommitRequest, limits } from "../../contract/index.ts";
import { ApiError } from "../../middleware/api-error.ts";
import { readJson } from "../../middleware/read-json.ts";
import { underLease } from "../../middleware/under-lease.ts";
import { type CommitOutcome, commitGeneration } from "../../storage/snapshots/commit.ts";
import { workerPorts } from "../../storage/worker-ports.ts";
import { answer, JobParams, jsonBody, operation, refusals } from "../operation.ts";

const route = createRoute({
  method: "post",
  path: "/jobs/{id}/checkpoints",
  tags: ["Agents"],
  access: "agents" as const,
  summary: "Commit a generation whole, or learn which of its chunks the storage lacks; a repeat is a success",
  middleware: [readJson(limits.bodyBytes)],
  request: { params: JobParams, ...jsonBody(CommitRequest) },
  responses: { 200: answer(CommitAnswer, "Committed, or not"), ...refusals(400, 403, 404, 409, 413, 503) },
});

export const commitCheckpoint = operation(route, async (c) => {
  const { prefix, base, generation, manifest, keep, ...proof } = c.req.valid("json");
  const place = await underLease(c, c.req.valid("param").id, proof);
  const commit = { prefix, base, generation, manifest, keep };
  return c.json(commitAnswer(await commitGeneration(workerPorts(c.env), place, commit)), 200);
});

function commitAnswer(outcome: CommitOutcome): CommitAnswer {
  switch (outcome.kind) {
    case "committed":
      return { committed: true };
    case "missing":
      return { committed: false, missing: outcome.chunks };
    case "superseded":
    case "wrong_base":
      throw new ApiError("conflict", { reason: outcome.kind });
    case "invalid":
      throw new ApiError("invalid_request", { problem: outcome.problem, field: "manifest" });
    case "unknown":
      throw new ApiError("unavailable", {});
  }
}
