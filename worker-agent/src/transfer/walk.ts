/**
 * All files below a directory, with their states.
 *
 * Symbolic links count as what they point to, files and directories alike, wherever that is. A link that leads back to
 * where it lies is not followed again. What cannot become an object (a link to nothing, a pipe, a socket, a device) is
 * reported and never dropped in silence; files of ours are. What vanishes while we look was never there.
 */
import type { Dirent } from "node:fs";
import { lstat, readdir, realpath, stat } from "node:fs/promises";
import { join } from "node:path";
import { contains } from "../directories.ts";
import { forEachBounded } from "./bounded.ts";
import { LocalFailure, onDisk, present } from "./failures.ts";
import { stateOf } from "./file-state.ts";
import { isOwnFile } from "./object-key.ts";
import type { KnownFile } from "./ports.ts";

export interface FoundFile {
  /** Relative to the root, "/" between segments. */
  relativePath: string;
  state: KnownFile;
  /** Where it really is, when a link led to it. */
  linkedFrom?: string;
}

/** Something that is there and cannot be uploaded as it is. */
export interface PassedOver {
  path: string;
  why: string;
  /** A link that leads to nothing: a file is missing. The others are there and are no files. */
  dangling: boolean;
}

export interface Walk {
  /** By absolute path. */
  files: Map<string, FoundFile>;
  /** The root and all directories below that could be read. */
  directories: string[];
  /** What could not be read: nothing is known about it and about anything below it. */
  unreadable: LocalFailure[];
  passedOver: PassedOver[];
  /** The links that lie in the directory itself, not behind another link. */
  links: string[];
}

interface Place {
  path: string;
  /** The path without links. */
  real: string;
  relative: string;
  /** Real paths of the links that led here. */
  cameBy: string[];
}

/** Which files matter, by their relative paths, and so which must be mentioned. A directory at a time. */
export interface Concerns {
  filter<Item>(items: Item[], pathOf: (item: Item) => string): Promise<Item[]>;
}

const everything: Concerns = { filter: async (items) => items };

interface Look {
  signal: AbortSignal;
  concerns: Concerns;
  found: Walk;
}

const statsAtOnce = 16;
/** Directories that link to each other have more ways through them than anybody could go. */
const linksInLinksMax = 4;

/** @returns undefined when there is no directory at `root`. */
export async function walk(
  root: string,
  signal: AbortSignal,
  concerns: Concerns = everything,
): Promise<Walk | undefined> {
  const found: Walk = { files: new Map(), directories: [], unreadable: [], passedOver: [], links: [] };
  const real = await present(root, realpath(root), found);
  if (real !== undefined)
    await walkDirectory({ path: root, real, relative: "", cameBy: [] }, { signal, concerns, found });
  return found.directories.length === 0 && found.unreadable.length === 0 ? undefined : found;
}

async function walkDirectory(place: Place, look: Look): Promise<void> {
  look.signal.throwIfAborted();
  const entries = await present(place.path, readdir(place.path, { withFileTypes: true }), look.found);
  if (!entries) return;
  look.found.directories.push(place.path);
  const foreign = entries.filter((entry) => !isOwnFile(entry.name));
  const leaves = foreign.filter((entry) => !entry.isDirectory());
  const concerned = new Set(await look.concerns.filter(leaves, (entry) => `${place.relative}${entry.name}`));
  const inner: Place[] = [];
  await forEachBounded(
    foreign,
    statsAtOnce,
    async (entry) => {
      const directory = await lookAt(entry, place, look.found, concerned.has(entry));
      if (directory) inner.push(directory);
    },
    () => {},
  );
  for (const directory of inner) await walkDirectory(directory, look);
}

/** `concerned`: the entry, should it be a file, matters. @returns a directory that is to be walked. */
async function lookAt(
  entry: Dirent,
  place: Place,
  found: Walk,
  concerned: boolean,
): Promise<Place | undefined> {
  const path = join(place.path, entry.name);
  const relativePath = `${place.relative}${entry.name}`;
  // The replacement character stands for bytes that are no UTF-8: such a name leads nowhere, and is no key either.
  if (entry.name.includes("\ufffd") && !(await present(path, lstat(path), found))) {
    if (entry.isDirectory() || concerned)
      found.unreadable.push(new LocalFailure(path, new Error("its name is not valid UTF-8")));
    return undefined;
  }
  if (entry.isSymbolicLink()) return lookAtLink(path, relativePath, place, found, concerned);
  if (entry.isDirectory()) {
    const real = join(place.real, entry.name);
    return { path, real, relative: `${relativePath}/`, cameBy: place.cameBy };
  }
  if (!concerned) return undefined;
  if (!entry.isFile()) {
    found.passedOver.push({ path, why: "it is a pipe, a socket or a device", dangling: false });
    return undefined;
  }
  const stats = await present(path, stat(path, { bigint: true }), found);
  const linkedFrom = place.cameBy.length > 0 ? join(place.real, entry.name) : undefined;
  if (stats) found.files.set(path, { relativePath, state: stateOf(stats), linkedFrom });
  return undefined;
}

async function lookAtLink(
  path: string,
  relativePath: string,
  place: Place,
  found: Walk,
  concerned: boolean,
): Promise<Place | undefined> {
  if (place.cameBy.length === 0) found.links.push(path);
  const pass = (why: string, dangling: boolean) => {
    if (concerned) found.passedOver.push({ path, why, dangling });
    return undefined;
  };
  try {
    const [real, stats] = await onDisk(path, Promise.all([realpath(path), stat(path, { bigint: true })]));
    if (stats.isDirectory()) {
      const cameBy = [...place.cameBy, place.real];
      if (cameBy.some((one) => contains(real, one))) return pass("the link leads in a circle", false);
      if (cameBy.length > linksInLinksMax)
        return pass(`the link lies behind ${linksInLinksMax} others`, true);
      return { path, real, relative: `${relativePath}/`, cameBy };
    }
    if (!stats.isFile()) return pass("the link leads to a pipe, a socket or a device", false);
    if (concerned) found.files.set(path, { relativePath, state: stateOf(stats), linkedFrom: real });
    return undefined;
  } catch (failure) {
    if (!(failure instanceof LocalFailure)) throw failure;
    if (!failure.missing && failure.code !== "ELOOP") {
      if (concerned) found.unreadable.push(failure);
      return undefined;
    }
    return (await present(path, lstat(path), found)) && pass("the link leads to nothing", true);
  }
}
