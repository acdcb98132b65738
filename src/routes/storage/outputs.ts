import { createRoute } from "@hono/zod-openapi";
import { limits, OutputsAnswer, OutputsRequest } from "../../contract/index.ts";
import { prepare } from "../../db/prepare.ts";
import { recordOutputs } from "../../db/storage/outputs.ts";
import { ApiError } from "../../middleware/api-error.ts";
import { readJson } from "../../middleware/read-json.ts";
import { underLease } from "../../middleware/under-lease.ts";
import { checkOutputs } from "../../storage/check-outputs.ts";
import { answer, JobParams, jsonBody, operation, refusals } from "../operation.ts";

const route = createRoute({
  method: "post",
  path: "/jobs/{id}/storage/outputs",
  tags: ["Agents"],
  access: "agents" as const,
  summary: "Record which outputs this attempt has uploaded; they are published when it completes the job",
  middleware: [readJson(limits.bodyBytes)],
  request: { params: JobParams, ...jsonBody(OutputsRequest) },
  responses: {
    200: answer(OutputsAnswer, "Those that are not there as told; the others are recorded"),
    ...refusals(400, 403, 404, 409, 413, 503),
  },
});

export const recordUploaded = operation(route, async (c) => {
  const { files, ...proof } = c.req.valid("json");
  const lease = await underLease(c, c.req.valid("param").id, proof);
  const { right, wrong } = await checkOutputs(c.env.CHECKPOINTS, lease, files);
  if (right.length > 0) {
    const { meta } = await prepare(c.env.DB, recordOutputs(lease, right)).run();
    // The lease has ended since it was renewed above.
    if (meta.changes === 0) throw new ApiError("conflict", { reason: "superseded" });
  }
  return c.json({ wrong }, 200);
});
