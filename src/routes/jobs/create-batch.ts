import { createRoute } from "@hono/zod-openapi";
import { z } from "zod";
import { IdempotencyHeaders, Job, JobSubmission, limits } from "../../contract/index.ts";
import { readJson } from "../../middleware/read-json.ts";
import { answer, jsonBody, operation, refusals } from "../operation.ts";
import { acceptJobs } from "./accept.ts";

/**
 * Checked job by job, ending at the first bad one: `z.array(JobSubmission)` would collect every issue of every job,
 * and a 2 MB batch of 1,000 jobs with 1,000 wrong arguments each makes 530 MB of issues (measured), which no
 * isolate survives.
 */
const JobBatch = z
  .array(z.unknown())
  .min(1)
  .max(limits.batchJobs)
  .transform((candidates, context) => {
    const jobs: JobSubmission[] = [];
    for (const [index, candidate] of candidates.entries()) {
      const job = JobSubmission.safeParse(candidate);
      if (!job.success) {
        for (const issue of job.error.issues.slice(0, 1)) {
          context.issues.push({ ...issue, path: [index, ...issue.path], input: undefined });
        }
        return z.NEVER;
      }
      jobs.push(job.data);
    }
    return jobs;
  });

const route = createRoute({
  method: "post",
  path: "/jobs/batch",
  tags: ["Jobs"],
  access: "people" as const,
  summary: "Queue up to 1,000 jobs, all or none",
  middleware: [readJson(limits.batchBodyBytes)],
  request: {
    ...jsonBody(JobBatch, z.array(JobSubmission).min(1).max(limits.batchJobs)),
    headers: IdempotencyHeaders,
  },
  responses: {
    202: answer(z.array(Job), "The jobs, in the order of the request"),
    ...refusals(400, 409, 413, 422),
  },
});

export const createBatch = operation(route, async (c) =>
  c.json(await acceptJobs(c, c.req.valid("json")), 202),
);
