/** Uploads in parts through the bucket's S3 side, so that presigned parts belong to an upload of the same side. */
import { AwsClient } from "aws4fetch";
import type { S3Access } from "../env.ts";
import { contentHeadersOf } from "./content.ts";
import type { BucketKey } from "./keys.ts";
import { objectUrl, signerOptions } from "./presign.ts";
import { markName } from "./upload-id.ts";
import type { Uploads } from "./uploads.ts";

/** An overloaded storage is asked once more, soon; agents repeat the rest. */
const retries = 1;

export function s3Uploads(s3: S3Access): Uploads {
  const client = new AwsClient({ ...signerOptions(s3), retries });
  const send = async (
    method: string,
    key: BucketKey,
    query: Record<string, string>,
    init: RequestInit = {},
  ) => {
    const url = objectUrl(s3, key);
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    const response = await client.fetch(url.toString(), { ...init, method, aws: { allHeaders: true } });
    const text = await response.text();
    // S3 may find out after it has begun to answer 200.
    const code = tag(text, "Code");
    if (response.ok && code === undefined) return { text, code: undefined };
    if (response.status >= 500 || response.status === 429 || code === "InternalError") {
      throw new StorageBusy(response.status);
    }
    return { text, code: code ?? `status ${response.status}` };
  };

  return {
    async begin(key, content, mark) {
      const headers = { [`x-amz-meta-${markName}`]: mark, ...contentHeadersOf(content) };
      // A body of bytes, if none: with text the runtime would name a Content-Type of its own.
      const { text, code } = await send("POST", key, { uploads: "" }, { headers, body: new Uint8Array() });
      const storageId = tag(text, "UploadId");
      if (code !== undefined || storageId === undefined) {
        throw new Error(`the storage began no upload: ${code ?? "no UploadId in its answer"}`);
      }
      return storageId;
    },
    async complete(key, storageId, parts) {
      const list = parts.map(
        ({ partNumber, etag }) =>
          `<Part><PartNumber>${partNumber}</PartNumber><ETag>${escaped(etag)}</ETag></Part>`,
      );
      const body = `<CompleteMultipartUpload>${list.join("")}</CompleteMultipartUpload>`;
      const { code } = await send("POST", key, { uploadId: storageId }, { body });
      switch (code) {
        case undefined:
          return "done";
        case "NoSuchUpload":
          return "no_upload";
        case "InvalidPart":
        case "InvalidPartOrder":
        case "EntityTooSmall":
        case "MalformedXML":
          return "parts";
        default:
          throw new Error(`the storage completed no upload: ${code}`);
      }
    },
    async abort(key, storageId) {
      const { code } = await send("DELETE", key, { uploadId: storageId });
      if (code !== undefined && code !== "NoSuchUpload") {
        throw new Error(`the storage aborted no upload: ${code}`);
      }
    },
  };
}

/** Passes by itself: callers answer 503 (src/db/transient.ts). */
class StorageBusy extends Error {
  readonly retryable = true;

  constructor(status: number) {
    super(`the storage answered ${status}`);
    this.name = "StorageBusy";
  }
}

/** Two flat answers are all that is read: no parser for that. */
function tag(xml: string, name: string): string | undefined {
  const text = new RegExp(`<${name}>([^<]*)</${name}>`).exec(xml)?.[1];
  return text
    ?.replaceAll("&quot;", '"')
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&amp;", "&");
}

function escaped(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}
