/**
 * Everything below a directory, as it is: files with their states, links as links (never followed), directories. Unlike the
 * mirrors' walk, which looks for what can be an object. What vanishes while we look was never there.
 */
import { isUtf8 } from "node:buffer";
import type { BigIntStats, Dirent } from "node:fs";
import { lstat, readdir, readlink } from "node:fs/promises";
import { join } from "node:path";
import { forEachBounded } from "../transfer/bounded.ts";
import { LocalFailure, present } from "../transfer/failures.ts";
import { stateOf } from "../transfer/file-state.ts";
import { isOwnFile } from "../transfer/object-key.ts";
import type { RulePattern } from "../transfer/patterns/rule-pattern.ts";
import type { KnownFile } from "../transfer/ports.ts";

export interface SeenFile {
  type: "file";
  state: KnownFile;
  mode: number;
}
export interface SeenLink {
  type: "link";
  target: string;
}
export interface SeenDirectory {
  type: "directory";
  mode: number;
  mtimeNs: bigint;
}
export type SeenEntry = SeenFile | SeenLink | SeenDirectory;

export interface Survey {
  /** By path relative to the root, with "/". Without the root itself. */
  entries: Map<string, SeenEntry>;
  /** What could not be read: nothing is known about it and about anything below it. */
  unreadable: LocalFailure[];
  /** Pipes, sockets and devices: no part of a generation. */
  passedOver: string[];
}

interface Look {
  root: string;
  signal: AbortSignal;
  pattern: RulePattern;
  found: Survey;
}

const statsAtOnce = 16;

/**
 * `pattern`: searched in the relative paths of files and links; directories count only as far as they lead to one.
 *
 * @returns undefined when there is no directory at `root`.
 */
export async function survey(
  root: string,
  signal: AbortSignal,
  pattern: RulePattern,
): Promise<Survey | undefined> {
  const found: Survey = { entries: new Map(), unreadable: [], passedOver: [] };
  if (!(await surveyDirectory("", { root, signal, pattern, found }))) return undefined;
  if (pattern.narrows) dropIdleDirectories(found.entries);
  return found;
}

/** False when there is none. */
async function surveyDirectory(relativePath: string, look: Look): Promise<boolean> {
  look.signal.throwIfAborted();
  const path = join(look.root, relativePath);
  const names = await present(path, readdir(path, { withFileTypes: true }), look.found);
  if (!names) return look.found.unreadable.length > 0;
  const inner: string[] = [];
  const pathOf = ({ name }: Dirent) => (relativePath === "" ? name : `${relativePath}/${name}`);
  const users = names.filter(({ name }) => !isOwnFile(name));
  const files = users.filter((entry) => !entry.isDirectory());
  const concerned = users
    .filter((entry) => entry.isDirectory())
    .concat(await look.pattern.filter(files, pathOf));
  await forEachBounded(
    concerned,
    statsAtOnce,
    async (entry) => {
      if (await lookAt(entry, pathOf(entry), look)) inner.push(pathOf(entry));
    },
    () => {},
  );
  for (const directory of inner) await surveyDirectory(directory, look);
  return true;
}

/** @returns whether it is a directory to be surveyed. */
async function lookAt(entry: Dirent, relativePath: string, look: Look): Promise<boolean> {
  const { found, root } = look;
  const path = join(root, relativePath);
  const stats = await present(path, lstat(path, { bigint: true }), found);
  // The replacement character stands for bytes that are no UTF-8: such a name leads nowhere, and has no place in a manifest.
  if (!stats && entry.name.includes("\ufffd")) {
    found.unreadable.push(new LocalFailure(path, new Error("its name is not valid UTF-8")));
  }
  if (!stats) return false;
  const seen = await entryOf(path, stats, found);
  if (seen) found.entries.set(relativePath, seen);
  return seen?.type === "directory";
}

async function entryOf(path: string, stats: BigIntStats, found: Survey): Promise<SeenEntry | undefined> {
  const mode = Number(stats.mode & 0o7777n);
  if (stats.isFile()) return { type: "file", state: stateOf(stats), mode };
  if (stats.isDirectory()) return { type: "directory", mode, mtimeNs: stats.mtimeNs };
  if (!stats.isSymbolicLink()) {
    found.passedOver.push(path);
    return undefined;
  }
  const target = await present(path, readlink(path, { encoding: "buffer" }), found);
  if (target && !isUtf8(target)) {
    found.unreadable.push(new LocalFailure(path, new Error("the link's target is not valid UTF-8")));
    return undefined;
  }
  return target && { type: "link", target: target.toString() };
}

function dropIdleDirectories(entries: Map<string, SeenEntry>): void {
  const leading = new Set<string>();
  for (const [path, { type }] of entries) {
    if (type === "directory") continue;
    for (let end = path.lastIndexOf("/"); end > 0; end = path.lastIndexOf("/", end - 1)) {
      leading.add(path.slice(0, end));
    }
  }
  for (const [path, { type }] of entries) {
    if (type === "directory" && !leading.has(path)) entries.delete(path);
  }
}
