/** `POST /jobs/:id/completed|failed|released`: the end of an attempt. */
import { z } from "zod";
import { ReportAnswer, type ReportInput } from "../../../src/contract/index.ts";
import type { ApiClient } from "./client.ts";
import type { Answer } from "./fault.ts";

export type ReportedEnd = "completed" | "failed" | "released";

/**
 * Any JSON object will do; a captive portal's page with status 200 must not pass for a recorded end. What else is in it must not keep it from
 * being one.
 */
const Recorded = z.looseObject({ reallocate: ReportAnswer.shape.reallocate.catch(undefined) });
export type Recorded = z.infer<typeof Recorded>;

/** Reports an end once; a repeat of the same end is answered as a success. */
export function sendReport(
  client: ApiClient,
  jobId: string,
  end: ReportedEnd,
  body: ReportInput,
  bounds: { timeoutMs: number; signal?: AbortSignal },
): Promise<Answer<Recorded>> {
  const path = `/jobs/${encodeURIComponent(jobId)}/${end}`;
  return client.call({ method: "POST", path, body, answer: Recorded, ...bounds });
}
