import { createRoute } from "@hono/zod-openapi";
import { AttemptList } from "../../contract/index.ts";
import { type AttemptRecord, listAttempts } from "../../db/jobs/attempts.ts";
import { prepare } from "../../db/prepare.ts";
import { answer, JobParams, operation, refusals } from "../operation.ts";
import { presentAttempt } from "./present.ts";
import { queueOfJob } from "./queue-of-job.ts";

/** A job interrupted every few minutes for days has hundreds of attempts; the newest tell what goes on. */
const maxAttempts = 1000;

const route = createRoute({
  method: "get",
  path: "/jobs/{id}/attempts",
  tags: ["Jobs"],
  access: "people" as const,
  summary: "The runs of a job, oldest first (of more than 1,000 the newest)",
  request: { params: JobParams },
  responses: { 200: answer(AttemptList, "The attempts"), ...refusals(404) },
});

export const listJobAttempts = operation(route, async (c) => {
  const { id } = c.req.valid("param");
  await queueOfJob(c, id);
  const { results } = await prepare(c.env.DB, listAttempts(id, maxAttempts)).all<AttemptRecord>();
  const attempts = results.reverse().map(presentAttempt);
  return c.json({ _count: attempts.length, attempts }, 200);
});
