import { createRoute } from "@hono/zod-openapi";
import { Message } from "../../contract/index.ts";
import { groupOf } from "../../middleware/group.ts";
import { answer, JobParams, operation, refusals } from "../operation.ts";
import { queueOfJob } from "./queue-of-job.ts";
import { refusalError } from "./refusal-error.ts";

const route = createRoute({
  method: "delete",
  path: "/jobs/{id}",
  tags: ["Jobs"],
  access: "people" as const,
  summary: "Cancel a job; its agent is told at once by its socket, or with its next renewal",
  request: { params: JobParams },
  responses: { 202: answer(Message, "Canceled"), ...refusals(404, 409, 503) },
});

export const cancelJob = operation(route, async (c) => {
  const { id } = c.req.valid("param");
  const key = await queueOfJob(c, id);
  const outcome = await groupOf(c, key).cancel(key, id);
  if (!outcome.ok) throw refusalError(outcome.reason);
  return c.json({ message: "Job canceled" }, 202);
});
