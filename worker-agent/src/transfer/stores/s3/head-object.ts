/** What the storage holds under a key. */
import { StorageError } from "../../failures.ts";
import type { HttpAnswer } from "../../http-client.ts";
import { type Patience, retrying } from "../../retry.ts";
import type { S3Client } from "./s3-client.ts";

/** @returns undefined when there is no such object. */
export async function headObject(
  client: S3Client,
  patience: Patience,
  object: { bucket: string; key: string },
  signal: AbortSignal,
): Promise<HttpAnswer | undefined> {
  try {
    return await retrying(patience, signal, () =>
      client.exchange({ method: "HEAD", ...object, signal }, async (answer) => answer),
    );
  } catch (failure) {
    if (failure instanceof StorageError && failure.status === 404) return undefined;
    throw failure;
  }
}
