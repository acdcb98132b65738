/**
 * One object into one open file, its bytes in order. A body that breaks off is resumed where it broke, on condition that the
 * object is still the same one; otherwise it is begun anew. Large ones come in ranges at once: get-ranges.ts.
 */
import { claimedMd5 } from "./etag.ts";
import { BadAnswer, onDisk, StorageError } from "./failures.ts";
import type { HttpAnswer } from "./http-client.ts";
import type { ObjectReader } from "./object-store.ts";
import { backOff, judge, type Patience } from "./retry.ts";
import { type TargetFile, writeAll } from "./target-file.ts";

/** A try that got this far was no failure in a row: a large file over a bad line must still arrive. */
export const progressBytes = 1024 * 1024;

export interface FetchedObject {
  /** What was written: all of it, and nothing else. */
  sizeBytes: number;
  /** What the storage says of its content, where it says it. */
  claimedMd5: string | undefined;
}

interface Progress {
  writtenBytes: number;
  /** Of the object that the bytes written so far belong to. */
  etag: string | undefined;
  claimedMd5: string | undefined;
  totalBytes: number | undefined;
}

export async function getObject(
  reader: ObjectReader,
  patience: Patience,
  file: TargetFile,
  signal: AbortSignal,
): Promise<FetchedObject> {
  const progress: Progress = {
    writtenBytes: 0,
    etag: undefined,
    claimedMd5: undefined,
    totalBytes: undefined,
  };
  for (let failures = 0; ; ) {
    const startedAt = progress.writtenBytes;
    try {
      await getRest(reader, file, progress, signal);
      return { sizeBytes: progress.writtenBytes, claimedMd5: progress.claimedMd5 };
    } catch (failure) {
      signal.throwIfAborted();
      if (progress.writtenBytes - startedAt >= progressBytes) failures = 0;
      failures += 1;
      const replaced = isReplaced(failure);
      if (replaced || progress.etag === undefined)
        Object.assign(progress, { writtenBytes: 0, etag: undefined });
      if (failures >= patience.tries || !(replaced || judge(failure).retry)) throw failure;
    }
    await backOff(failures, patience, signal);
  }
}

/** The object is no longer the one of which a part is here. */
export function isReplaced(failure: unknown): boolean {
  return failure instanceof StorageError && (failure.status === 412 || failure.status === 416);
}

async function getRest(
  reader: ObjectReader,
  file: TargetFile,
  progress: Progress,
  signal: AbortSignal,
): Promise<void> {
  const resumes = progress.writtenBytes > 0 && progress.etag !== undefined;
  // All of it is here, only the end of the answer was missed: there is no range left to ask for.
  if (resumes && progress.writtenBytes === progress.totalBytes) return;
  const wanted = resumes ? { offsetBytes: progress.writtenBytes, ifMatch: progress.etag } : {};
  await reader.read(wanted, signal, async (answer) => {
    if (!resumes || answer.status !== 206) await beginAnew(answer, file, progress);
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

async function beginAnew(answer: HttpAnswer, file: TargetFile, progress: Progress): Promise<void> {
  const length = answer.header("content-length");
  // Without a length a body cut short could pass for whole.
  if (length === undefined || !/^\d+$/.test(length)) throw new BadAnswer("an object without Content-Length");
  await onDisk(file.path, file.handle.truncate(0));
  progress.writtenBytes = 0;
  progress.etag = answer.header("etag");
  progress.claimedMd5 = claimedMd5(answer);
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
