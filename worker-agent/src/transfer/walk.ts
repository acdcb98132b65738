/**
 * All files below a directory, with their states.
 *
 * A symbolic link to a file counts as that file, wherever it points. Links to directories are not followed: they may
 * lead in circles, and out of the directory. Files of ours (`.kelpie-…`), sockets, pipes and devices are passed over.
 * What vanishes while we look was never there.
 */
import type { Dirent } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { forEachBounded } from "./bounded.ts";
import { LocalFailure, onDisk } from "./failures.ts";
import { stateOf } from "./file-state.ts";
import { isOwnFile } from "./object-key.ts";
import type { KnownFile } from "./ports.ts";

export interface FoundFile {
  /** Relative to the root, "/" between segments. */
  relativePath: string;
  state: KnownFile;
}

export interface Walk {
  /** By absolute path. */
  files: Map<string, FoundFile>;
  /** The root and all directories below that could be read. */
  directories: string[];
  /** What could not be read: nothing is known about it and about anything below it. */
  unreadable: LocalFailure[];
}

const statsAtOnce = 16;

/** @returns undefined when there is no directory at `root`. */
export async function walk(root: string, signal: AbortSignal): Promise<Walk | undefined> {
  const found: Walk = { files: new Map(), directories: [], unreadable: [] };
  await walkDirectory(root, "", found, signal);
  return found.directories.length === 0 && found.unreadable.length === 0 ? undefined : found;
}

async function walkDirectory(
  path: string,
  relative: string,
  found: Walk,
  signal: AbortSignal,
): Promise<void> {
  signal.throwIfAborted();
  const entries = await present(path, readdir(path, { withFileTypes: true }), found);
  if (!entries) return;
  found.directories.push(path);
  const ours = entries.filter((entry) => !isOwnFile(entry.name));
  await forEachBounded(
    ours.filter((entry) => entry.isFile() || entry.isSymbolicLink()),
    statsAtOnce,
    (entry) => lookAt(entry, path, relative, found),
    () => {},
  );
  for (const entry of ours) {
    if (entry.isDirectory())
      await walkDirectory(join(path, entry.name), `${relative}${entry.name}/`, found, signal);
  }
}

async function lookAt(entry: Dirent, directory: string, relative: string, found: Walk): Promise<void> {
  const path = join(directory, entry.name);
  const stats = await present(path, stat(path, { bigint: true }), found);
  if (stats?.isFile())
    found.files.set(path, { relativePath: `${relative}${entry.name}`, state: stateOf(stats) });
  // The replacement character stands for bytes that are no UTF-8: such a name leads nowhere, and is no key either.
  if (!stats && entry.isFile() && entry.name.includes("\ufffd")) {
    found.unreadable.push(new LocalFailure(path, new Error("its name is not valid UTF-8")));
  }
}

async function present<T>(path: string, operation: Promise<T>, found: Walk): Promise<T | undefined> {
  try {
    return await onDisk(path, operation);
  } catch (failure) {
    if (!(failure instanceof LocalFailure)) throw failure;
    if (!failure.missing) found.unreadable.push(failure);
    return undefined;
  }
}
