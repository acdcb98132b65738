/** `POST /jobs/:id/completed|failed|released|stalled|timed_out`: the end of an attempt. */
import { z } from "zod";
import type { ReportInput } from "../../../src/contract/index.ts";
import type { ApiClient } from "./client.ts";
import type { Answer } from "./fault.ts";

export type ReportedEnd = "completed" | "failed" | "released" | "stalled" | "timed_out";

/** Reports an end once; a repeat of the same end is answered as a success. */
export function sendReport(
  client: ApiClient,
  jobId: string,
  end: ReportedEnd,
  body: ReportInput,
  bounds: { timeoutMs: number; signal?: AbortSignal },
): Promise<Answer<unknown>> {
  // Any JSON object will do; a captive portal's page with status 200 must not pass for a recorded end.
  const answer = z.looseObject({});
  const path = `/jobs/${encodeURIComponent(jobId)}/${end}`;
  return client.call({ method: "POST", path, body, answer, ...bounds });
}
