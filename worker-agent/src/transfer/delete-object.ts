/** Removes one object; one that is gone already is fine. */
import type { Term } from "./effects.ts";
import { StorageError } from "./failures.ts";
import { type Patience, retrying } from "./retry.ts";
import type { S3Client } from "./stores/s3/s3-client.ts";

export async function deleteObject(
  client: S3Client,
  patience: Patience,
  object: { bucket: string; key: string },
  term: Term,
): Promise<void> {
  try {
    await retrying(patience, term.signal, async () => {
      await term.confirm();
      await client.exchange({ method: "DELETE", ...object, signal: term.signal }, async () => {});
    });
  } catch (failure) {
    if (failure instanceof StorageError && failure.code === "NoSuchKey") return;
    throw failure;
  }
}
