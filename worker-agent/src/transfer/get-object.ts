/**
 * One object into one open file. A body that breaks off is resumed where it broke, on condition that the object is
 * still the same one; otherwise it is begun anew.
 */
import type { FileHandle } from "node:fs/promises";
import { BadAnswer, onDisk, StorageError } from "./failures.ts";
import type { HttpAnswer } from "./http-client.ts";
import { backOff, judge, type Patience } from "./retry.ts";
import type { S3Client } from "./stores/s3/s3-client.ts";

/** A try that got this far was no failure in a row: a large file over a bad line must still arrive. */
const progressBytes = 1024 * 1024;

interface Progress {
  writtenBytes: number;
  /** Of the object that the bytes written so far belong to. */
  etag: string | undefined;
  totalBytes: number | undefined;
}

/** @returns the object's size: what was written, all of it, and nothing else. */
export async function getObject(
  client: S3Client,
  patience: Patience,
  object: { bucket: string; key: string },
  file: { handle: FileHandle; path: string },
  signal: AbortSignal,
): Promise<number> {
  const progress: Progress = { writtenBytes: 0, etag: undefined, totalBytes: undefined };
  for (let failures = 0; ; ) {
    const startedAt = progress.writtenBytes;
    try {
      await getRest(client, object, file, progress, signal);
      return progress.writtenBytes;
    } catch (failure) {
      signal.throwIfAborted();
      if (progress.writtenBytes - startedAt >= progressBytes) failures = 0;
      failures += 1;
      const replaced = failure instanceof StorageError && (failure.status === 412 || failure.status === 416);
      if (replaced || progress.etag === undefined)
        Object.assign(progress, { writtenBytes: 0, etag: undefined });
      if (failures >= patience.tries || !(replaced || judge(failure).retry)) throw failure;
    }
    await backOff(failures, patience, signal);
  }
}

async function getRest(
  client: S3Client,
  object: { bucket: string; key: string },
  file: { handle: FileHandle; path: string },
  progress: Progress,
  signal: AbortSignal,
): Promise<void> {
  const headers: Record<string, string> = {};
  if (progress.writtenBytes > 0 && progress.etag !== undefined) {
    // All of it is here, only the end of the answer was missed: there is no range left to ask for.
    if (progress.writtenBytes === progress.totalBytes) return;
    headers.range = `bytes=${progress.writtenBytes}-`;
    headers["if-match"] = progress.etag;
  }
  await client.exchange({ method: "GET", ...object, headers, signal }, async (answer) => {
    if (headers.range === undefined || answer.status !== 206) await beginAnew(answer, file, progress);
    else checkRange(answer, progress);
    for await (const chunk of answer.chunks()) {
      await writeAll(file, chunk, progress.writtenBytes);
      progress.writtenBytes += chunk.byteLength;
    }
    if (progress.totalBytes !== undefined && progress.writtenBytes !== progress.totalBytes) {
      throw new BadAnswer(`the storage sent ${progress.writtenBytes} of ${progress.totalBytes} bytes`);
    }
  });
}

async function beginAnew(
  answer: HttpAnswer,
  file: { handle: FileHandle; path: string },
  progress: Progress,
): Promise<void> {
  const length = answer.header("content-length");
  // Without a length a body cut short could pass for whole.
  if (length === undefined || !/^\d+$/.test(length)) throw new BadAnswer("an object without Content-Length");
  await onDisk(file.path, file.handle.truncate(0));
  progress.writtenBytes = 0;
  progress.etag = answer.header("etag");
  progress.totalBytes = Number(length);
}

function checkRange(answer: HttpAnswer, progress: Progress): void {
  const range = answer.header("content-range");
  const [, start, total] = /^bytes (\d+)-\d+\/(\d+)$/.exec(range ?? "") ?? [];
  if (Number(start) !== progress.writtenBytes || Number(total) !== progress.totalBytes) {
    progress.etag = undefined;
    throw new BadAnswer(`asked for the bytes from ${progress.writtenBytes} on, got "${range}"`);
  }
}

async function writeAll(
  file: { handle: FileHandle; path: string },
  chunk: Uint8Array,
  offsetBytes: number,
): Promise<void> {
  for (let done = 0; done < chunk.byteLength; ) {
    const { bytesWritten } = await onDisk(
      file.path,
      file.handle.write(chunk, done, chunk.byteLength - done, offsetBytes + done),
    );
    done += bytesWritten;
  }
}
