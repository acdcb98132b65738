/**
 * The parts of one log as they lie in the bucket (docs/logs.md, "Storage"): each under the position where it ends, so that the bucket's
 * own order is that of the log, and a list behind any position begins with the part that holds it.
 */
import type { LogStream } from "../../contract/index.ts";
import { type AttemptPlace, type BucketKey, logEnd, logOf } from "../keys.ts";

/** One log, and where it is. */
export interface KeptLog {
  bucket: R2Bucket;
  place: AttemptPlace;
  stream: LogStream;
}

export interface LogPart {
  key: BucketKey;
  /** Where it begins and ends in the log; bytes. */
  start: number;
  end: number;
}

/** Up to `limit` parts that end behind `position`, in order. `whole`: there are no more. */
export async function partsBehind(
  { bucket, place, stream }: KeptLog,
  position: number,
  limit: number,
): Promise<{ parts: LogPart[]; whole: boolean }> {
  const prefix = logOf(place, stream);
  const page = await bucket.list({ prefix, startAfter: prefix + logEnd(position), limit });
  const parts = page.objects.map(({ key, size }) => {
    const end = Number(key.slice(prefix.length));
    return { key: key as BucketKey, start: end - size, end };
  });
  return { parts, whole: !page.truncated };
}
