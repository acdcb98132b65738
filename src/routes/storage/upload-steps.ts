/** Objects in parts, whoever they are for: the caller has made the key. */
import type { Context } from "hono";
import type { FileUploadCompletion, Upload } from "../../contract/index.ts";
import { hexOf } from "../../domain/hex.ts";
import { configOf } from "../../env.ts";
import { ApiError } from "../../middleware/api-error.ts";
import type { AppEnv } from "../../middleware/app-env.ts";
import { sha256 } from "../../middleware/sha256.ts";
import type { BucketKey } from "../../storage/keys.ts";
import { parseUploadId, type UploadName, uploadIdOf } from "../../storage/upload-id.ts";
import { beginUpload, completeUpload, uploadsOf } from "../../storage/uploads.ts";

export async function begin(
  c: Context<AppEnv>,
  key: BucketKey,
  content: { content_type?: string | undefined; content_encoding?: string | undefined },
): Promise<Upload> {
  const wanted = { contentType: content.content_type, contentEncoding: content.content_encoding };
  const name = await beginUpload(stepsOf(c), key, wanted);
  return { upload_id: uploadIdOf({ ...name, check: await checkOf(key, name) }) };
}

export async function complete(
  c: Context<AppEnv>,
  key: BucketKey,
  { upload_id, size, parts }: Pick<FileUploadCompletion, "upload_id" | "size" | "parts">,
): Promise<void> {
  const inOrder = parts.map(({ part_number, etag }) => ({ partNumber: part_number, etag }));
  inOrder.sort((a, b) => a.partNumber - b.partNumber);
  const whole = { size, parts: inOrder };
  const name = uploadNameOf(upload_id, "upload_id");
  if (name.check !== (await checkOf(key, name))) throw new ApiError("not_found", { what: "upload" });
  const completed = await completeUpload(c.env.CHECKPOINTS, stepsOf(c), key, name, whole);
  if (completed.ok) return;
  switch (completed.reason) {
    case "no_upload":
      throw new ApiError("not_found", { what: "upload" });
    case "wrong_size":
      throw new ApiError("conflict", { reason: "wrong_size" });
    case "parts": {
      const problem =
        "are not what was uploaded: each as its answer named it, all but the last of one size, 5 MiB or more";
      throw new ApiError("invalid_request", { problem, field: "parts" });
    }
  }
}

/** One that is not there is no error: it has been aborted, or completed, before. */
export async function abort(c: Context<AppEnv>, key: BucketKey, uploadId: string): Promise<void> {
  const name = uploadNameOf(uploadId, "upload_id");
  if (name.check !== (await checkOf(key, name))) return;
  await stepsOf(c).abort(key, name.storageId);
}

/** 400 for an id that was never given out. */
export function uploadNameOf(uploadId: string, field: string): UploadName {
  const name = parseUploadId(uploadId);
  if (!name) throw new ApiError("invalid_request", { problem: "is not the id of an upload", field });
  return name;
}

async function checkOf(key: BucketKey, { mark, storageId }: Omit<UploadName, "check">): Promise<string> {
  return hexOf(await sha256(JSON.stringify([key, mark, storageId]))).slice(0, 16);
}

function stepsOf(c: Context<AppEnv>) {
  return uploadsOf(c.env.CHECKPOINTS, configOf(c.env).s3);
}
