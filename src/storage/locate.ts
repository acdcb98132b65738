/** Which object people see under a key: a file of the organization, or a published output, whichever is newer. */

import { prepare } from "../db/prepare.ts";
import type { OutputRecord } from "../db/storage/outputs.ts";
import { readPublished } from "../db/storage/outputs.ts";
import { inParallel } from "./in-parallel.ts";
import { type BucketKey, fileKey, outputKey } from "./keys.ts";

export interface Stores {
  db: D1Database;
  bucket: R2Bucket;
}

/**
 * In the order of the keys, each made from `userId`'s own root; whether anything is there is for the reader to find out. One
 * statement, and one head for each key that has a published output.
 */
export async function locate({ db, bucket }: Stores, userId: string, keys: string[]): Promise<BucketKey[]> {
  const { results } = await prepare(db, readPublished(userId, keys)).all<
    OutputRecord & Record<string, unknown>
  >();
  const outputs = new Map(results.map((output) => [output.key, output]));
  return inParallel(keys, async (key) => {
    const file = fileKey(userId, key);
    const output = outputs.get(key);
    if (!output) return file;
    const rival = await bucket.head(file);
    return outputIsNewer(output, rival) ? placeOf(userId, output) : file;
  });
}

/** Where a recorded output is. */
export function placeOf(userId: string, output: Pick<OutputRecord, "key" | "job_id" | "attempt">): BucketKey {
  return outputKey({ userId, jobId: output.job_id, attempt: output.attempt }, output.key);
}

/** Both times are the storage's own. */
export function outputIsNewer(output: OutputRecord, file: R2Object | null): boolean {
  return file === null || output.uploaded >= file.uploaded.getTime();
}
