/**
 * What makes bytes read from a file a state that the file had: nothing moved while they were read. Or, where files are taken
 * in motion: the file has only grown, and a second look finds the same bytes in front of what was added (a log is never
 * still). That is no proof that they belong together with the bytes of other files; the caller knows whether they must.
 */
import { constants } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { FileDisturbed, LocalFailure, onDisk } from "../transfer/failures.ts";
import { sameButCtime, sameState, settledState, stateOf } from "../transfer/file-state.ts";
import type { KnownFile } from "../transfer/ports.ts";

/** Neither a link in the file's place is followed, nor is a pipe waited for. */
export const openFlags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** What the open says when something else has come into the file's place. */
const displaced = new Set<string | undefined>(["ENOENT", "ENOTDIR", "ELOOP", "ENXIO"]);

export function isDisplaced(failure: unknown): boolean {
  return failure instanceof LocalFailure && displaced.has(failure.code);
}

export interface Held {
  state: KnownFile;
  /** Names that the file has: losing one to a rename moves the ctime, and no byte. */
  names: bigint;
}

/** The state of the open file. `expected`: the only one that will do. @throws FileDisturbed. */
export async function stateToRead(
  handle: FileHandle,
  path: string,
  expected: KnownFile | undefined,
  signal: AbortSignal,
): Promise<Held> {
  if (!(await onDisk(path, handle.stat())).isFile()) throw new FileDisturbed(path);
  await settledState(handle, path, signal);
  const stats = await onDisk(path, handle.stat({ bigint: true }));
  const state = stateOf(stats);
  if (expected && !sameButCtime(state, expected)) throw new FileDisturbed(path);
  return { state, names: stats.nlink };
}

/** To be called after the bytes have been read. `lookAgain`: whether the same bytes are still there. @throws FileDisturbed. */
export async function checkHeldStill(
  handle: FileHandle,
  path: string,
  { state, names }: Held,
  lookAgain: (() => Promise<boolean>) | undefined,
): Promise<void> {
  const stats = await onDisk(path, handle.stat({ bigint: true }));
  const now = stateOf(stats);
  if (sameState(state, now) || (sameButCtime(state, now) && stats.nlink !== names)) return;
  const grown = now.sizeBytes > state.sizeBytes;
  if (!grown || !lookAgain || !(await lookAgain())) throw new FileDisturbed(path);
}
