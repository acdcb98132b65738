import { createRoute, z } from "@hono/zod-openapi";
import type { TypedResponse } from "hono";
import { LogQuery, logHeaders, logTailDefaultLines } from "../../../contract/index.ts";
import { type AttemptsRecord, readAttemptsOf } from "../../../db/jobs/read.ts";
import { prepare } from "../../../db/prepare.ts";
import { ApiError } from "../../../middleware/api-error.ts";
import { visibleUserId } from "../../../middleware/app-env.ts";
import { readAfter, readTail } from "../../../storage/logs/read.ts";
import { JobParams, operation, refusals } from "../../operation.ts";
import { logStoreOf } from "./store.ts";

const route = createRoute({
  method: "get",
  path: "/jobs/{id}/logs",
  tags: ["Jobs"],
  access: "people" as const,
  summary: "What the command of an attempt wrote to stdout or stderr",
  description:
    "Also after its node is gone. Values of secret-looking variables are masked; a line `[kelpie: N bytes dropped]` stands for what was too much. At most 1 MiB, put together from at most 500 parts. X-Kelpie-Log-Attempt and X-Kelpie-Log-Stream tell what it is of, X-Kelpie-Log-Offset where in the stream it begins, X-Kelpie-Log-Next what to give as `after` for what comes next.",
  request: { params: JobParams, query: LogQuery },
  responses: {
    200: {
      description: "The text, as the command wrote it; empty: nothing (yet)",
      content: { "text/plain": { schema: z.string() } },
    },
    ...refusals(400, 404),
  },
});

export const readLog = operation(route, async (c) => {
  const bucket = logStoreOf(c);
  const { id } = c.req.valid("param");
  const { attempt: asked, stream, tail, after } = c.req.valid("query");
  const statement = readAttemptsOf(visibleUserId(c.var.principal), id);
  const job = await prepare(c.env.DB, statement).first<AttemptsRecord>();
  if (!job) throw new ApiError("not_found", { what: "job" });
  const attempt = asked ?? job.attempt;
  if (attempt < 1 || attempt > job.attempt) throw new ApiError("not_found", { what: "attempt" });
  const log = { bucket, place: { userId: job.user_id, jobId: id, attempt }, stream };
  const text = await (after === undefined
    ? readTail(log, tail ?? logTailDefaultLines)
    : readAfter(log, after));
  const answer: unknown = c.body(text.bytes as Uint8Array<ArrayBuffer>, 200, {
    "Content-Type": "text/plain; charset=utf-8",
    [logHeaders.attempt]: String(attempt),
    [logHeaders.stream]: stream,
    [logHeaders.offset]: String(text.offset),
    [logHeaders.next]: String(text.next),
    "Access-Control-Expose-Headers": Object.values(logHeaders).join(", "),
  });
  // Bytes, which need not be UTF-8: no `c.text`.
  return answer as Response & TypedResponse<string, 200, "text">;
});
