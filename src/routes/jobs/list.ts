/**
 * Lists of jobs. A job can have 256 KB and a page 1,000 jobs, which a Worker of 128 MB does not hold: rows are read in bites of
 * `limits.pageBytes`. A page that was asked for by `cursor` ends with its bite and says where to go on. One that was asked for by `page`, or
 * by neither, is always whole, since whoever counts pages would else miss jobs: its further bites are read while it is sent.
 */
import { createRoute } from "@hono/zod-openapi";
import type { Context } from "hono";
import { type Job, JobList, ListQuery, limits } from "../../contract/index.ts";
import { jobFromRecord } from "../../db/job-record.ts";
import {
  inOrder,
  type JobFilter,
  type ListedRecord,
  listJobs,
  type Page,
  type Place,
} from "../../db/jobs/list.ts";
import { prepare } from "../../db/prepare.ts";
import { type AppEnv, visibleUserId } from "../../middleware/app-env.ts";
import { describeError, log } from "../../middleware/log.ts";
import { answer, operation, refusals } from "../operation.ts";
import { cursorOf, hashOfList, placeOf } from "./list-cursor.ts";
import { presentJob } from "./present.ts";

const route = createRoute({
  method: "get",
  path: "/jobs",
  tags: ["Jobs"],
  access: "people" as const,
  summary: "List jobs by time of creation",
  description:
    "`heartbeat` and `num_heartbeats` of running jobs lag behind those that `GET /jobs/{id}` answers. A page by `cursor` costs the same however deep it is, and has 8 MiB of jobs at most.",
  request: { query: ListQuery },
  responses: { 200: answer(JobList, "One page"), ...refusals(400) },
});

export const listAllJobs = operation(route, async (c) => {
  const query = c.req.valid("query");
  const filter: JobFilter = {
    userId: visibleUserId(c.var.principal),
    statuses: query.status,
    containerGroupId: query.container_group_id,
    machineId: query.machine_id,
    createdFromMs: query.created_after,
    createdBeforeMs: query.created_before,
  };
  const hash = await hashOfList(filter, query.asc);
  const page: Page = {
    ascending: query.asc,
    limit: query.page_size,
    offset: (query.page - 1) * query.page_size,
    after: query.cursor === undefined ? undefined : placeOf(query.cursor, hash),
    maxBytes: limits.pageBytes,
  };
  const bite = await readBite(c, filter, page);
  if (query.cursor === undefined && bite.isCut)
    return c.newResponse(wholePage(c, filter, page, bite, hash), 200, json) as never;
  const { jobs, last } = bite;
  return c.json({ _count: jobs.length, jobs, next_cursor: last === null ? null : cursorOf(hash, last) }, 200);
});

const json = { "Content-Type": "application/json" };

interface Bite {
  jobs: Job[];
  /** There are more jobs behind this one; null: there are none. */
  last: Place | null;
  /** It ends before the page does. */
  isCut: boolean;
}

async function readBite(c: Context<AppEnv>, filter: JobFilter, page: Page): Promise<Bite> {
  const { results } = await prepare(c.env.DB, listJobs(filter, page)).all<ListedRecord>();
  const records = inOrder(results, filter, page);
  const end = records.at(-1);
  const hasMore = end !== undefined && records.length < end.found;
  return {
    jobs: records.map((record) => presentJob(jobFromRecord(record))),
    last: hasMore ? { createdMs: end.created, seq: end.seq } : null,
    isCut: hasMore && records.length < page.limit,
  };
}

/** A page of several bites, each read when the one before has been taken. A failure on the way breaks the answer off. */
function wholePage(
  c: Context<AppEnv>,
  filter: JobFilter,
  page: Page,
  first: Bite,
  hash: string,
): ReadableStream {
  const text = new TextEncoder();
  let bite = first;
  let count = 0;
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const jobs = bite.jobs.map((job) => JSON.stringify(job)).join(",");
        controller.enqueue(text.encode(`${count === 0 ? '{"jobs":[' : ","}${jobs}`));
        count += bite.jobs.length;
        if (bite.isCut && bite.last) {
          const rest = { ...page, offset: 0, after: bite.last, limit: page.limit - count };
          try {
            bite = await readBite(c, filter, rest);
          } catch (error) {
            // The status has gone out: only the log can tell why the client is left with half a page.
            log("error", "list_broken_off", { error: describeError(error) });
            throw error;
          }
          if (bite.jobs.length > 0) return;
        }
        const next = bite.last ? cursorOf(hash, bite.last) : null;
        controller.enqueue(text.encode(`],"_count":${count},"next_cursor":${JSON.stringify(next)}}`));
        controller.close();
      },
    },
    { highWaterMark: 0 },
  );
}
