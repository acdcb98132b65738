/** What each node asked of the storage and what that answered. */
import { z } from "zod";
import { localBucket } from "../../local-api.ts";
import type { Exchange } from "../network/http-proxy.ts";

export const StorageRequest = z.object({
  node: z.string(),
  method: z.string(),
  /** "" for a request about the bucket, such as a listing. */
  key: z.string(),
  /** When the head of the request had arrived, its body, and the answer. */
  headMs: z.int(),
  /** Absent: it did not arrive in full, so the storage had nothing to act upon. */
  bodyMs: z.int().optional(),
  /** These two absent: the storage did not answer, and what became of the request is unknown. */
  answeredMs: z.int().optional(),
  status: z.int().optional(),
});
export type StorageRequest = z.infer<typeof StorageRequest>;

export function storageRequestOf(node: string, exchange: Exchange): StorageRequest {
  const { method, headMs, bodyMs, answeredMs, status } = exchange;
  const { pathname } = new URL(exchange.path, "http://storage");
  const [, key = ""] = pathname.split(`/${localBucket.bucket}/`);
  return {
    node,
    method,
    key: decodeURIComponent(key),
    headMs,
    bodyMs,
    answeredMs,
    status: answeredMs === undefined ? undefined : status,
  };
}
