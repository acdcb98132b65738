import { createRoute } from "@hono/zod-openapi";
import { JobList, ListQuery } from "../../contract/index.ts";
import { jobFromRecord, type SqlRecord } from "../../db/job-record.ts";
import { listJobs } from "../../db/jobs/list.ts";
import { prepare } from "../../db/prepare.ts";
import { visibleUserId } from "../../middleware/app-env.ts";
import { answer, operation, refusals } from "../operation.ts";
import { presentJob } from "./present.ts";

const route = createRoute({
  method: "get",
  path: "/jobs",
  tags: ["Jobs"],
  access: "people" as const,
  summary: "List jobs by time of creation",
  description:
    "`heartbeat` and `num_heartbeats` of running jobs lag behind those that `GET /jobs/{id}` answers.",
  request: { query: ListQuery },
  responses: { 200: answer(JobList, "One page"), ...refusals(400) },
});

export const listAllJobs = operation(route, async (c) => {
  const { status, container_group_id, page_size, page, asc } = c.req.valid("query");
  const statement = listJobs(
    { userId: visibleUserId(c.var.principal), status, containerGroupId: container_group_id },
    { ascending: asc, limit: page_size, offset: (page - 1) * page_size },
  );
  const { results } = await prepare(c.env.DB, statement).all<SqlRecord>();
  const jobs = results.map((record) => presentJob(jobFromRecord(record)));
  return c.json({ _count: jobs.length, jobs }, 200);
});
