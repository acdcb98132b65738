/**
 * Uploads a directory and believes nothing: each object is looked up afterwards, and one that is missing or of another
 * size or checksum is uploaded again before the whole fails.
 */
import { relative, resolve } from "node:path";
import type { UploadRule } from "../../../src/contract/index.ts";
import { forEachBounded } from "./bounded.ts";
import { throwIfEnded } from "./effects.ts";
import { etagContradicts } from "./etag.ts";
import { BadAnswer, Ended, transferError } from "./failures.ts";
import { headObject } from "./head-object.ts";
import { keyOf } from "./object-key.ts";
import { type TransferContext, TransferError } from "./ports.ts";
import { judge } from "./retry.ts";
import type { Store } from "./store.ts";
import { summed } from "./summed-failures.ts";
import { type FileUpload, type UploadedFile, uploadFile } from "./upload-file.ts";
import { walk } from "./walk.ts";

/** Uploads of one file before a storage that loses it is given up. */
const uploadsPerFile = 3;

export async function uploadDirectory(
  store: Store,
  rule: UploadRule,
  from: string,
  context: TransferContext,
): Promise<void> {
  const pattern = rule.pattern === undefined ? undefined : new RegExp(rule.pattern);
  const found = await walk(from, context.signal, (path) => pattern === undefined || pattern.test(path));
  if (!found) return;
  const failures = found.unreadable.map((failure) =>
    transferError(judge(failure).fault, `upload to ${rule.bucket}/${rule.prefix}`, failure),
  );
  for (const { path, why, dangling } of found.passedOver) {
    const writtenAt = resolve(context.workdir, rule.local_path, relative(from, path));
    if (dangling) failures.push(new TransferError("config", `${writtenAt} cannot be uploaded: ${why}`));
    else context.onProblem?.(`${writtenAt} is not uploaded: ${why}`);
  }
  const oldestFirst = [...found.files].sort(([, one], [, other]) =>
    one.state.mtimeNs < other.state.mtimeNs ? -1 : 1,
  );
  await forEachBounded(
    oldestFirst,
    store.concurrentFiles,
    async ([path, { relativePath }]) => {
      const file = { path, bucket: rule.bucket, key: keyOf(rule.prefix, relativePath, context.compression) };
      // Jobs know the file by the place that they wrote it to.
      const writtenAt = resolve(context.workdir, rule.local_path, relativePath);
      try {
        await uploadObserved(store, file, writtenAt, context);
      } catch (failure) {
        if (failure instanceof Ended) throw failure;
        throwIfEnded(context);
        // One bad file does not keep the others from being saved.
        const doing = `upload of ${writtenAt} to ${file.bucket}/${file.key}`;
        failures.push(transferError(judge(failure).fault, doing, failure));
      }
    },
    () => {},
  );
  if (failures.length > 0) throw summed(failures);
}

async function uploadObserved(
  store: Store,
  file: FileUpload,
  writtenAt: string,
  context: TransferContext,
): Promise<void> {
  context.observer.began("upload", writtenAt);
  let bytes = 0;
  try {
    bytes = await uploadVerified(store, file, context);
  } finally {
    context.observer.ended("upload", writtenAt, bytes);
  }
}

/** @returns the object's size. */
async function uploadVerified(store: Store, file: FileUpload, context: TransferContext): Promise<number> {
  for (let uploads = 1; ; uploads += 1) {
    const uploaded = await uploadFile(store, file, context);
    const wrong = await whatIsWrong(store, file, uploaded, context.signal);
    if (wrong === undefined) return uploaded.sizeBytes;
    if (uploads === uploadsPerFile) throw new BadAnswer(`uploaded ${uploads} times, and ${wrong}`);
    context.onProblem?.(`${file.bucket}/${file.key} was uploaded, but ${wrong}; uploading it again`);
  }
}

async function whatIsWrong(
  store: Store,
  file: FileUpload,
  uploaded: UploadedFile,
  signal: AbortSignal,
): Promise<string | undefined> {
  const answer = await headObject(store.client, store.patience, file, signal);
  if (!answer) return "the object is not there";
  const length = answer.header("content-length");
  if (length !== String(uploaded.sizeBytes)) return `it has ${length} bytes instead of ${uploaded.sizeBytes}`;
  if (uploaded.md5 !== undefined && etagContradicts(answer, uploaded.md5)) {
    return `its content is another one (ETag ${answer.header("etag")} for MD5 ${uploaded.md5})`;
  }
  return undefined;
}
