/**
 * Reads and hashes ranges of files, a slice at a time: the event loop gets its turn between two slices, so that a renewal never
 * waits for more than some milliseconds of hashing.
 */
import { createHash, type Hash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { FileDisturbed, onDisk } from "../transfer/failures.ts";
import type { NamedBytes } from "./snapshot-store.ts";

export interface Range {
  offset: number;
  bytes: number;
}

const sliceBytes = 1024 * 1024;

/** The range's SHA-256 in hex. @throws FileDisturbed when the file ends before the range does. */
export async function digestRange(
  handle: FileHandle,
  path: string,
  { offset, bytes }: Range,
  signal: AbortSignal,
): Promise<string> {
  const hash = createHash("sha256");
  const slice = Buffer.allocUnsafe(Math.min(sliceBytes, bytes));
  for (let done = 0; done < bytes; ) {
    signal.throwIfAborted();
    const part = slice.subarray(0, Math.min(sliceBytes, bytes - done));
    await readInto(part, handle, path, offset + done);
    hash.update(part);
    done += part.byteLength;
  }
  return hash.digest("hex");
}

/** Fills the buffer from the file. @throws FileDisturbed when the file is shorter. */
export async function readInto(
  buffer: Uint8Array,
  handle: FileHandle,
  path: string,
  offset: number,
): Promise<void> {
  for (let filled = 0; filled < buffer.byteLength; ) {
    const rest = buffer.byteLength - filled;
    const { bytesRead } = await onDisk(path, handle.read(buffer, filled, rest, offset + filled));
    if (bytesRead === 0) throw new FileDisturbed(path);
    filled += bytesRead;
  }
}

/** Opens, uses and closes a file. `known`: the name under which a person knows it. */
export async function withFile<T>(
  path: string,
  flags: string | number,
  work: (handle: FileHandle) => Promise<T>,
  known = path,
): Promise<T> {
  const handle = await onDisk(known, open(path, flags));
  try {
    return await work(handle);
  } finally {
    await handle.close();
  }
}

/** SHA-256 and MD5 of bytes in memory. */
export async function nameBytes(bytes: Uint8Array): Promise<NamedBytes> {
  const sha256 = createHash("sha256");
  const md5 = createHash("md5");
  await inSlices(bytes, sha256, md5);
  return { sha256: sha256.digest("hex"), md5: md5.digest("hex"), bytes };
}

export async function sha256Of(bytes: Uint8Array): Promise<string> {
  const hash = createHash("sha256");
  await inSlices(bytes, hash);
  return hash.digest("hex");
}

async function inSlices(bytes: Uint8Array, ...hashes: Hash[]): Promise<void> {
  for (let start = 0; start < bytes.byteLength; start += sliceBytes) {
    if (start > 0) await new Promise(setImmediate);
    for (const hash of hashes) hash.update(bytes.subarray(start, start + sliceBytes));
  }
}
