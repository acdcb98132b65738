/** One large object in parts that go up in parallel; it becomes visible at once, by the request that completes it. */
import { XMLBuilder, XMLParser } from "fast-xml-parser";
import { forEachBounded } from "./bounded.ts";
import type { Term } from "./effects.ts";
import { BadAnswer, StorageError } from "./failures.ts";
import { fileRange } from "./file-body.ts";
import { type Part, partsOf } from "./part-sizes.ts";
import { errorInXml } from "./refusal.ts";
import { type Patience, retrying } from "./retry.ts";
import type { S3Client } from "./stores/s3/s3-client.ts";
import type { StoredObject, UploadSource, UploadTarget } from "./upload-source.ts";

/** Putting thousands of parts together takes S3 minutes at times. */
const completeTimeoutMs = 300_000;
/** What is left of a failed upload costs its owner money, but nobody waits long for the cleaning up. */
const abortTimeoutMs = 10_000;

interface Upload {
  client: S3Client;
  patience: Patience;
  source: UploadSource;
  target: UploadTarget;
  term: Term;
}

/** `onLeftover` hears of an upload that could be neither completed nor removed. */
export async function uploadInParts(
  upload: Upload & { partsAtOnce: number; onLeftover: (failure: unknown) => void },
): Promise<StoredObject> {
  const { source } = upload;
  const uploadId = await createUpload(upload);
  try {
    const etags = await putParts(upload, uploadId, upload.partsAtOnce);
    await complete(upload, uploadId, etags);
    return { sizeBytes: source.sizeBytes, md5: undefined };
  } catch (failure) {
    // Not awaited: whoever aborted us wants an answer now. It shows nobody anything: only our own unseen parts go.
    abortUpload(upload, uploadId).catch(upload.onLeftover);
    throw failure;
  }
}

const parser = new XMLParser({ ignoreAttributes: true, parseTagValue: false });
const builder = new XMLBuilder();

function createUpload({ client, patience, target, term }: Upload): Promise<string> {
  return retrying(patience, term.signal, async () => {
    await term.confirm();
    const request = {
      method: "POST",
      ...target,
      query: { uploads: "" },
      body: "",
      signal: term.signal,
    } as const;
    const text = await client.exchange(request, (answer) => answer.text());
    const document: { InitiateMultipartUploadResult?: { UploadId?: string } } = parser.parse(text);
    const uploadId = document.InitiateMultipartUploadResult?.UploadId;
    if (!uploadId) throw new BadAnswer("the storage began a multipart upload without an id");
    return uploadId;
  });
}

async function putParts(upload: Upload, uploadId: string, partsAtOnce: number): Promise<string[]> {
  const etags: string[] = [];
  const failed = new AbortController();
  const signal = AbortSignal.any([upload.term.signal, failed.signal]);
  await forEachBounded(
    partsOf(upload.source.sizeBytes),
    partsAtOnce,
    async (part) => {
      etags[part.number - 1] = await putPart(upload, uploadId, part, signal);
    },
    (reason) => failed.abort(reason),
  );
  return etags;
}

function putPart(upload: Upload, uploadId: string, part: Part, signal: AbortSignal): Promise<string> {
  const { client, patience, source, target, term } = upload;
  return retrying(patience, signal, async () => {
    await term.confirm();
    // Not needed for wholeness, but a file that is still being written is given up early.
    await source.checkUnchanged();
    return await client.exchange(
      {
        method: "PUT",
        bucket: target.bucket,
        key: target.key,
        query: { partNumber: String(part.number), uploadId },
        body: {
          lengthBytes: part.lengthBytes,
          open: () => fileRange(source.handle, source.path, part),
        },
        signal,
      },
      async (answer) => {
        const etag = answer.header("etag");
        if (!etag) throw new BadAnswer("the storage took a part without an ETag");
        return etag;
      },
    );
  });
}

function complete(upload: Upload, uploadId: string, etags: string[]): Promise<void> {
  const { client, patience, source, target, term } = upload;
  const body = builder.build({
    CompleteMultipartUpload: { Part: etags.map((ETag, index) => ({ PartNumber: index + 1, ETag })) },
  });
  return retrying(patience, term.signal, async () => {
    await source.checkUnchanged();
    await term.confirm();
    await client.exchange(
      {
        method: "POST",
        bucket: target.bucket,
        key: target.key,
        query: { uploadId },
        headers: { "content-type": "application/xml" },
        body,
        signal: term.signal,
        answerTimeoutMs: completeTimeoutMs,
      },
      async (answer) => {
        // S3 may say 200 first and notice the trouble afterwards.
        const refused = errorInXml(500, await answer.text());
        if (refused) throw refused;
      },
    );
  });
}

async function abortUpload({ client, patience, target }: Upload, uploadId: string): Promise<void> {
  const signal = AbortSignal.timeout(abortTimeoutMs);
  const { bucket, key } = target;
  try {
    await retrying(patience, signal, () =>
      client.exchange({ method: "DELETE", bucket, key, query: { uploadId }, signal }, async () => {}),
    );
  } catch (failure) {
    // It was completed after all, and only the answer got lost; or someone cleaned up before us.
    if (failure instanceof StorageError && failure.code === "NoSuchUpload") return;
    throw failure;
  }
}
