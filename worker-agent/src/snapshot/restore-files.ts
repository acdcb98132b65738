/**
 * Files of a generation, built whole in a hidden directory of our own inside the user's, and then moved into place. In there all
 * directories are made by us and links come last, so no path of the manifest can lead anywhere else.
 *
 * Memory: `chunksAtOnce` chunks, of at most 16 MiB each (8 MiB as this agent writes them).
 */
import { constants, type Dirent } from "node:fs";
import { type FileHandle, lstat, mkdir, readdir, realpath, rename, rm, symlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { ChunkName, ManifestEntry } from "../../../src/contract/index.ts";
import { makeDirectory } from "../make-directory.ts";
import { forEachBounded } from "../transfer/bounded.ts";
import { onDisk, Refused } from "../transfer/failures.ts";
import { stateOf } from "../transfer/file-state.ts";
import { ownName } from "../transfer/object-key.ts";
import { writeAll } from "../transfer/target-file.ts";
import type { FileContent } from "./content.ts";
import type { FileEntry, Manifest } from "./read-manifest.ts";
import { withFile } from "./reading.ts";
import { Mtimes, type Restored } from "./restored.ts";
import type { SeenEntry } from "./survey.ts";

export interface RestoreFilesSettings {
  root: string;
  signal: AbortSignal;
  /** The chunk's bytes, verified. */
  fetch(chunk: ChunkName): Promise<Buffer>;
}

const chunksAtOnce = 4;
const filesAtOnce = 16;
/**
 * setuid and setgid make a program run as the owner of its file. Owners are not kept: it would be another one here, often root, at
 * the word of a machine that wrote a manifest. On directories the same bits do no such thing.
 */
const runsAsOwner = 0o6000;
const writeFlags = constants.O_WRONLY | constants.O_CREAT | constants.O_NOFOLLOW;

type RestoredFiles = Pick<Restored, "entries" | "contents" | "mtimes">;

export async function restoreFiles(
  { head, entries }: Manifest,
  { root, signal, fetch }: RestoreFilesSettings,
): Promise<RestoredFiles> {
  const real = await onDisk(root, realpath(root));
  const stage = join(real, ownName("snapshot"));
  await onDisk(stage, mkdir(stage, { mode: 0o700 }));
  try {
    await makeDirectories(stage, entries);
    await writeChunks(stage, head.chunks, filesOf(entries), signal, fetch);
    await finishFiles(stage, filesOf(entries), signal);
    for (const entry of entries) {
      if (entry.type !== "link") continue;
      const path = join(stage, entry.path);
      await onDisk(path, symlink(entry.target, path));
    }
    await moveContents(stage, real);
  } finally {
    await rm(stage, { recursive: true, force: true });
  }
  // Deepest first: making a directory read-only comes after everything inside.
  const directories = entries.filter((entry) => entry.type === "directory");
  for (const entry of directories.sort((one, other) => depth(other.path) - depth(one.path))) {
    const path = join(real, entry.path);
    await withFile(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW, (handle) =>
      setAttributes(handle, path, entry),
    );
  }
  return await lookAtAll(real, head.chunks, entries);
}

function filesOf(entries: ManifestEntry[]): FileEntry[] {
  return entries.filter((entry) => entry.type === "file");
}

function depth(path: string): number {
  return path.split("/").length;
}

async function makeDirectories(stage: string, entries: ManifestEntry[]): Promise<void> {
  const directories = new Set<string>();
  for (const { path, type } of entries) directories.add(type === "directory" ? path : dirname(path));
  for (const directory of directories) {
    const path = join(stage, directory);
    await onDisk(path, makeDirectory(path));
  }
}

/** Where bytes of one chunk belong. */
interface Target {
  path: string;
  fileOffset: number;
  chunkOffset: number;
  bytes: number;
}

async function writeChunks(
  stage: string,
  chunks: ChunkName[],
  files: FileEntry[],
  signal: AbortSignal,
  fetch: RestoreFilesSettings["fetch"],
): Promise<void> {
  const failed = new AbortController();
  const targets = targetsOf(files);
  const wanted = [...chunks.entries()].filter(([index]) => targets.has(index));
  await forEachBounded(
    wanted,
    chunksAtOnce,
    async ([index, chunk]) => {
      signal.throwIfAborted();
      failed.signal.throwIfAborted();
      const content = await fetch(chunk);
      const write = async ({ path, fileOffset, chunkOffset, bytes }: Target) => {
        const part = content.subarray(chunkOffset, chunkOffset + bytes);
        await withFile(join(stage, path), writeFlags, (handle) =>
          writeAll({ handle, path }, part, fileOffset),
        );
      };
      await forEachBounded(targets.get(index) ?? [], filesAtOnce, write, () => {});
    },
    (reason) => failed.abort(reason),
  );
}

function targetsOf(files: FileEntry[]): Map<number, Target[]> {
  const targets = new Map<number, Target[]>();
  for (const { path, pieces } of files) {
    let fileOffset = 0;
    for (const [index, chunkOffset, bytes] of pieces) {
      const ofChunk = targets.get(index) ?? [];
      ofChunk.push({ path, fileOffset, chunkOffset, bytes });
      targets.set(index, ofChunk);
      fileOffset += bytes;
    }
  }
  return targets;
}

async function finishFiles(stage: string, files: FileEntry[], signal: AbortSignal): Promise<void> {
  await forEachBounded(
    files,
    filesAtOnce,
    async (entry) => {
      signal.throwIfAborted();
      const path = join(stage, entry.path);
      // Makes the empty ones.
      const mode = entry.mode & ~runsAsOwner;
      await withFile(path, writeFlags, (handle) => setAttributes(handle, path, { ...entry, mode }));
    },
    () => {},
  );
}

async function setAttributes(
  handle: FileHandle,
  path: string,
  { mode, mtime_ns }: { mode: number; mtime_ns: string },
): Promise<void> {
  await onDisk(path, handle.chmod(mode));
  const seconds = secondsOf(BigInt(mtime_ns));
  await onDisk(path, handle.utimes(seconds, seconds));
}

/** Whole microseconds are what Node passes on; half of one more keeps the rounding of floating point from taking one away. */
function secondsOf(timeNs: bigint): number {
  return (Number(timeNs / 1000n) + 0.5) / 1e6;
}

/** Directories that are there already (another rule's downloads) are merged; everything else gives way. */
async function moveContents(from: string, to: string): Promise<void> {
  const names = await onDisk(from, readdir(from, { withFileTypes: true }));
  const merging: Dirent[] = [];
  await forEachBounded(
    names,
    filesAtOnce,
    async (entry) => {
      const source = join(from, entry.name);
      const target = join(to, entry.name);
      const there = await lstat(target).catch(() => undefined);
      if (there?.isDirectory() && entry.isDirectory()) {
        merging.push(entry);
        return;
      }
      if (there?.isDirectory())
        throw new Refused(`${target} is a directory, and the snapshot has a file there`);
      if (there && entry.isDirectory()) await onDisk(target, rm(target));
      await onDisk(target, rename(source, target));
    },
    () => {},
  );
  for (const { name } of merging) await moveContents(join(from, name), join(to, name));
}

async function lookAtAll(
  root: string,
  chunks: ChunkName[],
  entries: ManifestEntry[],
): Promise<RestoredFiles> {
  const mtimes = new Mtimes();
  const seen = new Map<string, SeenEntry>();
  const contents = new Map<string, FileContent>();
  await forEachBounded(
    entries,
    filesAtOnce,
    async (entry) => {
      if (entry.type === "link") {
        seen.set(entry.path, { type: "link", target: entry.target });
        return;
      }
      const path = join(root, entry.path);
      const stats = await onDisk(path, lstat(path, { bigint: true }));
      const mode = Number(stats.mode & 0o7777n);
      mtimes.restored(entry.path, stats.mtimeNs, BigInt(entry.mtime_ns));
      if (entry.type === "directory") {
        seen.set(entry.path, { type: "directory", mode, mtimeNs: stats.mtimeNs });
        return;
      }
      seen.set(entry.path, { type: "file", mode, state: stateOf(stats) });
      contents.set(entry.path, contentOf(entry, chunks));
    },
    () => {},
  );
  return { mtimes, entries: seen, contents };
}

function contentOf({ size, pieces }: FileEntry, chunks: ChunkName[]): FileContent {
  return {
    sizeBytes: size,
    pieces: pieces.flatMap(([index, offset, bytes]) => {
      const [, , sha256, chunkBytes] = chunks[index] ?? [];
      return sha256 === undefined || chunkBytes === undefined
        ? []
        : [{ chunk: { sha256, bytes: chunkBytes }, offset, bytes }];
    }),
  };
}
