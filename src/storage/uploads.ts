/**
 * Objects in parts: begun, completed and aborted here, while the parts themselves go by URLs. All of one upload goes the same way:
 * through the bucket's S3 side where that is configured, else through the binding. (Locally an upload begun by the one can be
 * continued by the other; nothing promises it of R2.)
 */
import type { S3Access } from "../env.ts";
import { type Content, httpMetadataOf } from "./content.ts";
import type { BucketKey } from "./keys.ts";
import { r2Outcome } from "./r2-fault.ts";
import { s3Uploads } from "./s3-uploads.ts";
import { markName, type UploadName } from "./upload-id.ts";

export interface UploadedPart {
  partNumber: number;
  etag: string;
}

/** What it takes to put an object together. `mark` becomes the object's own metadata (upload-id.ts). */
export interface Uploads {
  begin(key: BucketKey, content: Content, mark: string): Promise<string>;
  complete(key: BucketKey, storageId: string, parts: UploadedPart[]): Promise<"done" | "no_upload" | "parts">;
  /** An upload that is not there is no error. */
  abort(key: BucketKey, storageId: string): Promise<void>;
}

export function uploadsOf(bucket: R2Bucket, s3: S3Access | null): Uploads {
  return s3 ? s3Uploads(s3) : bindingUploads(bucket);
}

export async function beginUpload(
  uploads: Uploads,
  key: BucketKey,
  content: Content,
): Promise<Omit<UploadName, "check">> {
  const mark = crypto.randomUUID();
  return { mark, storageId: await uploads.begin(key, content, mark) };
}

export type Completed = { ok: true } | { ok: false; reason: "no_upload" | "parts" | "wrong_size" };

/**
 * Puts the parts together. The storage tells no sizes before, so an object of another size than was told is deleted again: for that
 * moment it is visible, and what was there before under its key is gone. Parts have their sizes signed, so it takes a caller that
 * contradicts itself.
 */
export async function completeUpload(
  bucket: R2Bucket,
  uploads: Uploads,
  key: BucketKey,
  { mark, storageId }: Omit<UploadName, "check">,
  { parts, size }: { parts: UploadedPart[]; size: number },
): Promise<Completed> {
  const outcome = await uploads.complete(key, storageId, parts);
  if (outcome === "parts") return { ok: false, reason: "parts" };
  const object = await bucket.head(key);
  // No such upload: completed before and the answer lost, if it is this upload that made the object.
  const ours = object?.customMetadata?.[markName] === mark;
  if (outcome === "no_upload" && !ours) return { ok: false, reason: "no_upload" };
  // Overwritten since by a newer one: completed all the same.
  if (!ours || object.size === size) return { ok: true };
  await bucket.delete(key);
  return { ok: false, reason: "wrong_size" };
}

function bindingUploads(bucket: R2Bucket): Uploads {
  return {
    async begin(key, content, mark) {
      const upload = await bucket.createMultipartUpload(key, {
        httpMetadata: httpMetadataOf(content),
        customMetadata: { [markName]: mark },
      });
      return upload.uploadId;
    },
    async complete(key, storageId, parts) {
      const outcome = await r2Outcome(() => bucket.resumeMultipartUpload(key, storageId).complete(parts));
      if (!("fault" in outcome)) return "done";
      if (outcome.fault === "parts" || outcome.fault === "no_upload") return outcome.fault;
      throw new Error(`R2 refused a completion: ${outcome.fault}`);
    },
    async abort(key, storageId) {
      await r2Outcome(() => bucket.resumeMultipartUpload(key, storageId).abort());
    },
  };
}
