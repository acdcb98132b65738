/**
 * Copies of files that will not hold still, made on the local disk, where reading takes milliseconds instead of the
 * minutes of an upload.
 *
 * A copy is whole when the file was the same before and after. One exception: a log is never still. A file that has
 * only grown, and slowly (growth.ts), is copied up to the length that it had before, and what was copied is compared
 * with the file once more: that prefix is a state that the file once had.
 */
import { constants } from "node:fs";
import { copyFile, type FileHandle, open, stat } from "node:fs/promises";
import { FileDisturbed, onDisk } from "./failures.ts";
import { fileRange } from "./file-body.ts";
import { isUnchanged, settledState, stateOfOpen } from "./file-state.ts";
import { refuseFastGrowth, refuseFastGrowthSince } from "./growth.ts";
import type { KnownFile } from "./ports.ts";

/** Copies the file at `path` to `copyPath` and returns the state that the copy holds. */
export async function copyWhole(path: string, copyPath: string, signal: AbortSignal): Promise<KnownFile> {
  const original = await onDisk(path, open(path, "r"));
  try {
    await refuseFastGrowth(original, path, signal);
    const before = await settledState(original, path, signal);
    const beganMs = performance.now();
    if (!(await clone(path, copyPath, before))) await copyBytes(original, path, copyPath, before, signal);
    if (await isUnchanged(before, original, path)) return before;
    const after = await stateOfOpen(original, path);
    if (after.sizeBytes <= before.sizeBytes) throw new FileDisturbed(path);
    await refuseFastGrowthSince(before, beganMs, original, path, signal);
    await comparePrefix(original, path, copyPath, before.sizeBytes, signal);
    return before;
  } finally {
    await original.close();
  }
}

/** On file systems that share blocks a copy costs nothing. False: they do not, or the path has been replaced. */
async function clone(path: string, copyPath: string, state: KnownFile): Promise<boolean> {
  try {
    await copyFile(path, copyPath, constants.COPYFILE_FICLONE_FORCE);
    const { ino } = await stat(path, { bigint: true });
    return ino === state.inode;
  } catch {
    // Whatever the reason: copying byte by byte works everywhere, and reports what does not.
    return false;
  }
}

async function copyBytes(
  original: FileHandle,
  path: string,
  copyPath: string,
  state: KnownFile,
  signal: AbortSignal,
): Promise<void> {
  const copy = await onDisk(copyPath, open(copyPath, "w"));
  try {
    const range = { offsetBytes: 0, lengthBytes: state.sizeBytes };
    for await (const chunk of fileRange(original, path, range)) {
      signal.throwIfAborted();
      await onDisk(copyPath, copy.appendFile(chunk));
    }
  } finally {
    await copy.close();
  }
}

async function comparePrefix(
  original: FileHandle,
  path: string,
  copyPath: string,
  lengthBytes: number,
  signal: AbortSignal,
): Promise<void> {
  const copy = await onDisk(copyPath, open(copyPath, "r"));
  try {
    const range = { offsetBytes: 0, lengthBytes };
    const now = fileRange(original, path, range);
    for await (const copied of fileRange(copy, copyPath, range)) {
      signal.throwIfAborted();
      const { value } = await now.next();
      if (!value || Buffer.compare(copied, value) !== 0) throw new FileDisturbed(path);
    }
  } finally {
    await copy.close();
  }
}
