/**
 * A growing file is one of two things. A log grows slowly, and any beginning of it is good. A checkpoint being written
 * grows fast, and its beginning is worth nothing: it must not replace the last good one, and sending it is a waste.
 */
import type { FileHandle } from "node:fs/promises";
import { FileDisturbed } from "./failures.ts";
import { mtimeMs, stateOfOpen } from "./file-state.ts";
import type { KnownFile } from "./ports.ts";
import { pause } from "./retry.ts";

/** Far above what a program logs, far below what one writes when it saves. */
const logBytesPerSecond = 1024 * 1024;
/** Growth within a shorter time says nothing about its rate. */
const observationMs = 250;
/** A file left alone for so long does not grow. */
const restMs = 1000;

/** @throws FileDisturbed when the file is growing faster than logs do. Takes no time for a file at rest. */
export async function refuseFastGrowth(handle: FileHandle, path: string, signal: AbortSignal): Promise<void> {
  const state = await stateOfOpen(handle, path);
  const ageMs = Date.now() - mtimeMs(state);
  if (ageMs <= restMs) await refuseFastGrowthSince(state, performance.now(), handle, path, signal);
}

/** The same for a file that was in the state `before` at `sinceMs` (monotonic). */
export async function refuseFastGrowthSince(
  before: KnownFile,
  sinceMs: number,
  handle: FileHandle,
  path: string,
  signal: AbortSignal,
): Promise<void> {
  await pause(Math.max(0, sinceMs + observationMs - performance.now()), signal);
  const grownBytes = (await stateOfOpen(handle, path)).sizeBytes - before.sizeBytes;
  const observedSeconds = (performance.now() - sinceMs) / 1000;
  if (grownBytes > logBytesPerSecond * observedSeconds) throw new FileDisturbed(path);
}
