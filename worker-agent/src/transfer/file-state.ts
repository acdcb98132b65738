/** The state of a file: what tells one content of it from the next. */
import type { BigIntStats } from "node:fs";
import { type FileHandle, stat } from "node:fs/promises";
import { onDisk } from "./failures.ts";
import type { KnownFile } from "./ports.ts";
import { pause } from "./retry.ts";

/**
 * A write moves the mtime, but only by ticks of the kernel's clock (4 to 10 ms): two writes within one tick look the
 * same. A state is proof only once its tick is over.
 *
 * A program can set the mtime back; it cannot set the ctime, which moves with it (and with a chmod, a rename or a new
 * hard link, each of which costs an upload that was not needed).
 *
 * Where this ends: writes through mmap may move them late, and one write() call moves them only as it begins: a call that
 * overwrites gigabytes in place, of the same size, can outlast the tick.
 */
const tickMs = 20;
const patienceTicks = 10;

export function stateOf(stats: BigIntStats): KnownFile {
  const { size, mtimeNs, ctimeNs, ino } = stats;
  return { sizeBytes: Number(size), mtimeNs, ctimeNs, inode: ino };
}

export function sameState(one: KnownFile, other: KnownFile): boolean {
  return sameButCtime(one, other) && one.ctimeNs === other.ctimeNs;
}

/** A ctime alone is moved by links made and lost, and by no byte. */
export function sameButCtime(one: KnownFile, other: KnownFile): boolean {
  return one.sizeBytes === other.sizeBytes && one.mtimeNs === other.mtimeNs && one.inode === other.inode;
}

export function mtimeMs(state: KnownFile): number {
  return Number(state.mtimeNs / 1_000_000n);
}

export async function stateAt(path: string): Promise<KnownFile> {
  return stateOf(await onDisk(path, stat(path, { bigint: true })));
}

export async function stateOfOpen(handle: FileHandle, path: string): Promise<KnownFile> {
  return stateOf(await onDisk(path, handle.stat({ bigint: true })));
}

/** Whether what the open file holds is still what it held in that state. */
export async function isUnchanged(state: KnownFile, handle: FileHandle, path: string): Promise<boolean> {
  const stats = await onDisk(path, handle.stat({ bigint: true }));
  if (sameState(state, stateOf(stats))) return true;
  // Losing its last name to a rename moves the ctime too, and no byte: the newer file comes in its turn.
  return stats.nlink === 0n && sameButCtime(state, stateOf(stats));
}

/**
 * The file's state once its tick is over, so that any later write shows. A file that is written without pause never
 * gets there: its latest state is returned, and the check after reading will find it changed.
 */
export async function settledState(
  handle: FileHandle,
  path: string,
  signal: AbortSignal,
): Promise<KnownFile> {
  for (let waits = 0; ; waits += 1) {
    const state = await stateOfOpen(handle, path);
    const ageMs = Date.now() - Number(state.ctimeNs / 1_000_000n);
    // A ctime in the future is from before the clock was set; waiting for it would be waiting for nothing.
    if (ageMs > tickMs || ageMs < -tickMs || waits >= patienceTicks) return state;
    await pause(tickMs - ageMs + 1, signal);
  }
}
