/** `PUT /jobs/:id/logs/:stream`: a part of a log. */

import { z } from "zod";
import { type LogPlace, type LogStream, leaseTokenHeader } from "../../../src/contract/index.ts";
import type { ApiClient } from "./client.ts";
import type { Answer } from "./fault.ts";

/** Sends a part once; a repeat is a success. */
export function sendLogPart(
  client: ApiClient,
  jobId: string,
  stream: LogStream,
  { token, ...place }: LogPlace & { token: string },
  part: Uint8Array,
  bounds: { timeoutMs: number; signal?: AbortSignal },
): Promise<Answer<unknown>> {
  return client.call({
    method: "PUT",
    path: `/jobs/${encodeURIComponent(jobId)}/logs/${stream}`,
    query: place,
    headers: { [leaseTokenHeader]: token },
    bytes: part,
    answer: z.looseObject({}),
    ...bounds,
  });
}
