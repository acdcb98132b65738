import { createRoute } from "@hono/zod-openapi";
import { Head, HeadRequest, limits } from "../../contract/index.ts";
import { ApiError } from "../../middleware/api-error.ts";
import { readJson } from "../../middleware/read-json.ts";
import { underLease } from "../../middleware/under-lease.ts";
import { readHead } from "../../storage/snapshots/head.ts";
import { workerPorts } from "../../storage/worker-ports.ts";
import { answer, JobParams, jsonBody, operation, refusals } from "../operation.ts";

const route = createRoute({
  method: "post",
  path: "/jobs/{id}/checkpoints/head",
  tags: ["Agents"],
  access: "agents" as const,
  summary: "Which generation a resume begins with, and the next one builds on",
  middleware: [readJson(limits.bodyBytes)],
  request: { params: JobParams, ...jsonBody(HeadRequest) },
  responses: { 200: answer(Head, "The newest intact generation"), ...refusals(400, 403, 404, 409, 413, 503) },
});

export const headOfSeries = operation(route, async (c) => {
  const { prefix, ...proof } = c.req.valid("json");
  const { jobId } = await underLease(c, c.req.valid("param").id, proof);
  const head = await readHead(workerPorts(c.env), jobId, prefix);
  if (head === null) throw new ApiError("unavailable", {});
  return c.json(head, 200);
});
