import { createRoute } from "@hono/zod-openapi";
import type { Context } from "hono";
import { Job } from "../../contract/index.ts";
import { jobFromRecord, type SqlRecord } from "../../db/job-record.ts";
import { readJobOf } from "../../db/jobs/read.ts";
import { prepare } from "../../db/prepare.ts";
import type { JobRow } from "../../db/schema.ts";
import { isTransient } from "../../db/transient.ts";
import type { LiveLease } from "../../group/protocol.ts";
import { ApiError } from "../../middleware/api-error.ts";
import { type AppEnv, visibleUserId } from "../../middleware/app-env.ts";
import { groupOf } from "../../middleware/group.ts";
import { describeError, log } from "../../middleware/log.ts";
import { answer, JobParams, operation, refusals } from "../operation.ts";
import { presentJob, withLiveLease } from "./present.ts";

const route = createRoute({
  method: "get",
  path: "/jobs/{id}",
  tags: ["Jobs"],
  access: "people" as const,
  summary: "One job; a running one with its latest heartbeat",
  request: { params: JobParams },
  responses: { 200: answer(Job, "The job"), ...refusals(404) },
});

export const getJob = operation(route, async (c) => {
  const statement = readJobOf(visibleUserId(c.var.principal), c.req.valid("param").id);
  const record = await prepare(c.env.DB, statement).first<SqlRecord>();
  if (!record) throw new ApiError("not_found", { what: "job" });
  const job = jobFromRecord(record);
  const live = job.status === "running" ? await liveLeaseOf(c, job) : null;
  return c.json(presentJob(withLiveLease(job, live)), 200);
});

/** The lease's own word; D1's older heartbeat has to do while the object cannot be asked. */
async function liveLeaseOf(c: Context<AppEnv>, job: JobRow): Promise<LiveLease | null> {
  const key = { userId: job.userId, containerGroupId: job.containerGroupId };
  return await groupOf(c, key)
    .live(key, job.id)
    .catch((error: unknown) => {
      if (!isTransient(error)) throw error;
      log("warning", "live_lease_unknown", { jobId: job.id, error: describeError(error) });
      return null;
    });
}
