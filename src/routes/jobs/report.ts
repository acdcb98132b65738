/** How an attempt ended, told by its holder. A repeat of the report that ended it is a success without effects. */
import { createRoute } from "@hono/zod-openapi";
import type { Context } from "hono";
import { limits, Report, ReportAnswer } from "../../contract/index.ts";
import type { SettleKind } from "../../group/protocol.ts";
import type { AppEnv } from "../../middleware/app-env.ts";
import { groupOf, ownKey } from "../../middleware/group.ts";
import { readJson } from "../../middleware/read-json.ts";
import { answer, JobParams, jsonBody, operation, refusals } from "../operation.ts";
import { refusalError } from "./refusal-error.ts";

const common = {
  method: "post" as const,
  tags: ["Agents"],
  access: "agents" as const,
  unlimited: true as const,
  middleware: [readJson(limits.bodyBytes)],
  request: { params: JobParams, ...jsonBody(Report) },
};
const refused = refusals(400, 404, 409, 413, 503);

const completed = createRoute({
  ...common,
  path: "/jobs/{id}/completed",
  summary: "The command ended with 0 and its outputs are stored",
  responses: { 200: answer(ReportAnswer, "Recorded"), ...refused },
});
export const reportCompleted = operation(completed, async (c) =>
  c.json(await settle(c, c.req.valid("param").id, "completed", c.req.valid("json")), 200),
);

const failed = createRoute({
  ...common,
  path: "/jobs/{id}/failed",
  summary:
    "The command failed: counts against max_failures, and this machine does not get the job again for a day",
  responses: { 202: answer(ReportAnswer, "Recorded"), ...refused },
});
export const reportFailed = operation(failed, async (c) =>
  c.json(await settle(c, c.req.valid("param").id, "failed", c.req.valid("json")), 202),
);

const released = createRoute({
  ...common,
  path: "/jobs/{id}/released",
  summary:
    "The node gives the job back unfinished: it is at once available to others, and nothing is counted",
  responses: { 200: answer(ReportAnswer, "Recorded"), ...refused },
});
export const reportReleased = operation(released, async (c) =>
  c.json(await settle(c, c.req.valid("param").id, "released", c.req.valid("json")), 200),
);

const stalled = createRoute({
  ...common,
  path: "/jobs/{id}/stalled",
  summary:
    "Nothing new for stall_timeout_seconds: no failure; the job is at once available to other machines, and this one does not get it again for a day",
  responses: { 200: answer(ReportAnswer, "Recorded"), ...refused },
});
export const reportStalled = operation(stalled, async (c) =>
  c.json(await settle(c, c.req.valid("param").id, "stalled", c.req.valid("json")), 200),
);

const timedOut = createRoute({
  ...common,
  path: "/jobs/{id}/timed_out",
  summary:
    "The command ran for longer than timeout_seconds: a failure, which counts against max_failures, and this machine does not get the job again for a day",
  responses: { 200: answer(ReportAnswer, "Recorded"), ...refused },
});
export const reportTimedOut = operation(timedOut, async (c) =>
  c.json(await settle(c, c.req.valid("param").id, "timed_out", c.req.valid("json")), 200),
);

async function settle(
  c: Context<AppEnv>,
  jobId: string,
  kind: SettleKind,
  report: Report,
): Promise<ReportAnswer> {
  const key = ownKey(c, report.container_group_id);
  const holder = { machineId: report.machine_id, attempt: report.attempt, leaseToken: report.lease_token };
  const outcome = await groupOf(c, key).settle(key, jobId, kind, holder, {
    exitCode: report.exit_code,
    signal: report.signal,
    cause: report.cause,
    progress: report.progress,
    reason: report.reason,
    bytesDownloaded: report.bytes_downloaded,
    bytesUploaded: report.bytes_uploaded,
  });
  if (!outcome.ok) throw refusalError(outcome.reason);
  const { reallocate } = outcome;
  return { message: `Job ${words[kind]}`, ...(reallocate === undefined ? {} : { reallocate }) };
}

const words: Record<SettleKind, string> = {
  completed: "completed",
  failed: "failed",
  released: "released",
  stalled: "stalled",
  timed_out: "timed out",
};
