import { createRoute } from "@hono/zod-openapi";
import { IdempotencyHeaders, Job, JobSubmission, limits } from "../../contract/index.ts";
import { readJson } from "../../middleware/read-json.ts";
import { answer, jsonBody, operation, refusals } from "../operation.ts";
import { acceptJobs } from "./accept.ts";

const route = createRoute({
  method: "post",
  path: "/jobs",
  tags: ["Jobs"],
  access: "people" as const,
  summary: "Queue a job",
  middleware: [readJson(limits.bodyBytes)],
  request: { ...jsonBody(JobSubmission), headers: IdempotencyHeaders },
  responses: { 202: answer(Job, "The job, pending"), ...refusals(400, 409, 413, 422) },
});

export const createJob = operation(route, async (c) => {
  const [job] = await acceptJobs(c, [c.req.valid("json")]);
  if (!job) throw new Error("an accepted job was not answered");
  return c.json(job, 202);
});
