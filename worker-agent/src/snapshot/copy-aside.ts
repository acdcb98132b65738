/** Copies of files that are rewritten in place: the local disk is fast where the uplink is slow. */
import { type FileHandle, lstat, open, rm } from "node:fs/promises";
import { FileDisturbed, onDisk } from "../transfer/failures.ts";
import type { KnownFile } from "../transfer/ports.ts";
import { checkHeldStill, openFlags, stateToRead } from "./hold-still.ts";
import { digestRange, readInto, withFile } from "./reading.ts";
import type { Staging } from "./staging.ts";

export interface Copied {
  path: string;
  /** Of the original. Undefined: a state that it had, while it changed on. */
  state: KnownFile | undefined;
}

const sliceBytes = 1024 * 1024;

/**
 * `expected`: the only state that will do. Without, a file in motion is taken as well as it can be.
 *
 * @throws FileDisturbed; LocalFailure, ENOSPC among them.
 */
export function copyAside(
  original: string,
  staging: Staging,
  expected: KnownFile | undefined,
  signal: AbortSignal,
): Promise<Copied> {
  return withFile(original, openFlags, async (handle) => {
    const held = await stateToRead(handle, original, expected, signal);
    const { state } = held;
    const clone = await staging.clone(original);
    const path = clone ?? (await staging.newFile());
    const lookAgain = async () => {
      const range = { offset: 0, bytes: state.sizeBytes };
      const now = await digestRange(handle, original, range, signal);
      return now === (await withFile(path, "r", (copy) => digestRange(copy, path, range, signal)));
    };
    try {
      if (clone === undefined) await copyBytes(handle, original, path, state.sizeBytes, signal);
      // A clone is made by name, and another file may have come into its place.
      if (clone !== undefined && (await inodeAt(original)) !== state.inode) throw new FileDisturbed(original);
      await checkHeldStill(handle, original, held, expected ? undefined : lookAgain);
    } catch (failure) {
      // Cloning takes a file at one moment, whatever is done to it meanwhile; only which moment is not known.
      if (expected || clone === undefined || !(failure instanceof FileDisturbed)) {
        // The room is the job's: what a full disk cut off, or another try will copy again, does not wait for the end of the cut.
        await rm(path, { force: true });
        throw failure;
      }
      return { path, state: undefined };
    }
    return { path, state };
  });
}

async function inodeAt(path: string): Promise<bigint> {
  return (await onDisk(path, lstat(path, { bigint: true }))).ino;
}

async function copyBytes(
  from: FileHandle,
  original: string,
  path: string,
  bytes: number,
  signal: AbortSignal,
): Promise<void> {
  const copy = await onDisk(path, open(path, "wx", 0o600));
  try {
    const slice = Buffer.allocUnsafe(Math.min(sliceBytes, bytes));
    for (let done = 0; done < bytes; ) {
      signal.throwIfAborted();
      const part = slice.subarray(0, Math.min(sliceBytes, bytes - done));
      await readInto(part, from, original, done);
      await onDisk(path, copy.appendFile(part));
      done += part.byteLength;
    }
  } finally {
    await copy.close();
  }
}
