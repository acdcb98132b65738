import { createRoute } from "@hono/zod-openapi";
import { Job } from "../../contract/index.ts";
import { jobFromRecord, type SqlRecord } from "../../db/job-record.ts";
import { retryJob } from "../../db/jobs/retry.ts";
import { prepare } from "../../db/prepare.ts";
import { ApiError } from "../../middleware/api-error.ts";
import { groupOf } from "../../middleware/group.ts";
import { describeError, log } from "../../middleware/log.ts";
import { answer, JobParams, operation, refusals } from "../operation.ts";
import { scaleUp } from "../scale-up.ts";
import { presentJob } from "./present.ts";
import { queueOfJob } from "./queue-of-job.ts";

const route = createRoute({
  method: "post",
  path: "/jobs/{id}/retry",
  tags: ["Jobs"],
  access: "people" as const,
  summary:
    "Send an ended job back to the queue; its attempts stay on record, its failures and bans are forgiven",
  request: { params: JobParams },
  responses: { 202: answer(Job, "The job, pending again"), ...refusals(404, 409) },
});

export const retryEndedJob = operation(route, async (c) => {
  const { id } = c.req.valid("param");
  const key = await queueOfJob(c, id);
  const statements = retryJob(key.userId, id, crypto.randomUUID());
  const [updated] = await c.env.DB.batch<SqlRecord>(
    statements.map((statement) => prepare(c.env.DB, statement)),
  );
  const record = updated?.results[0];
  if (!record) throw new ApiError("conflict", { reason: "not_ended" });
  const job = jobFromRecord(record);
  // A hint, after the answer; lost, it costs the 2 s after which the group looks by itself.
  const told = groupOf(c, key)
    .jobsAdded(key, job.priority)
    .then(({ unattended }) => (unattended ? scaleUp(c, key) : undefined))
    .catch((error: unknown) => log("warning", "jobs_added_hint_lost", { error: describeError(error) }));
  c.executionCtx.waitUntil(told);
  return c.json(presentJob(job), 202);
});
