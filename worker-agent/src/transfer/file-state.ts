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
 * Where this ends: writes through mmap may move the mtime late, a program can set it back, and one write() call moves it
 * only as it begins: a call that overwrites gigabytes in place, of the same size, can outlast the tick.
 */
const tickMs = 20;
const patienceTicks = 10;

export function stateOf(stats: BigIntStats): KnownFile {
  return { sizeBytes: Number(stats.size), mtimeNs: stats.mtimeNs, inode: stats.ino };
}

export function sameState(one: KnownFile, other: KnownFile): boolean {
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
    const ageMs = Date.now() - mtimeMs(state);
    // An mtime in the future was set by hand; waiting for it would be waiting for nothing.
    if (ageMs > tickMs || ageMs < -tickMs || waits >= patienceTicks) return state;
    await pause(tickMs - ageMs + 1, signal);
  }
}
