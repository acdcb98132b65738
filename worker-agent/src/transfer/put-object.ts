/** One object in one PUT. */
import { createHash } from "node:crypto";
import type { Term } from "./effects.ts";
import { etagContradicts } from "./etag.ts";
import { BadAnswer } from "./failures.ts";
import { fileRange } from "./file-body.ts";
import { type Patience, retrying } from "./retry.ts";
import type { S3Client } from "./stores/s3/s3-client.ts";
import type { StoredObject, UploadSource, UploadTarget } from "./upload-source.ts";

/**
 * The last chunk is held back until the file has been seen unchanged and trust has been confirmed once more: before
 * it, the storage has nothing to show.
 */
export function putObject(
  client: S3Client,
  patience: Patience,
  source: UploadSource,
  target: UploadTarget,
  term: Term,
): Promise<StoredObject> {
  return retrying(patience, term.signal, async () => {
    await term.confirm();
    await source.checkUnchanged();
    const hash = createHash("md5");
    const range = { offsetBytes: 0, lengthBytes: source.sizeBytes, hash };
    const beforeLastChunk = async () => {
      await source.checkUnchanged();
      await term.confirm();
    };
    const body = {
      lengthBytes: source.sizeBytes,
      open: () => fileRange(source.handle, source.path, { ...range, beforeLastChunk }),
    };
    const { signal } = term;
    return await client.exchange(
      { method: "PUT", ...target, body: source.sizeBytes === 0 ? "" : body, signal },
      async (answer) => {
        const md5 = hash.digest("hex");
        if (etagContradicts(answer, md5)) {
          throw new BadAnswer(
            `the storage received other bytes than were sent (ETag ${answer.header("etag")})`,
          );
        }
        return { sizeBytes: source.sizeBytes, md5 };
      },
    );
  });
}
