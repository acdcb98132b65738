/**
 * Directories of jobs: made and emptied before each job and emptied after it, so that no job sees another's files. A
 * job names them, so this refuses every one whose clearing would harm more than a job.
 */
import { chmod, readdir, realpath, rm } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { basename, dirname, join, relative, sep } from "node:path";
import { makeDirectory } from "./make-directory.ts";

/** Holding these means holding a system; a job that names one has a mistake in it. */
const systemDirectories = ["bin", "boot", "dev", "etc", "home", "lib", "lib64", "opt", "proc", "root", "run"]
  .concat([
    "sbin",
    "srv",
    "sys",
    "tmp",
    "usr",
    "var",
    "dev/shm",
    "usr/local",
    "var/lib",
    "var/log",
    "var/tmp",
  ])
  .map((name) => `/${name}`);

/** Nor is there anything inside these that a job could want emptied. */
const systemTrees = ["bin", "boot", "lib", "lib64", "proc", "sbin", "sys"]
  .concat(["usr/bin", "usr/lib", "usr/lib64", "usr/sbin"])
  .map((name) => `/${name}`);

/** A directory that must not be cleared; the job can never run with it, here or elsewhere. */
export class DirectoryRefused extends Error {
  override readonly name = "DirectoryRefused";
}

export interface DirectoryGuard {
  workdir: string;
  stateFile: string;
  /** Why this real path must not be touched now, though it may later: another slot's job uses it. Absent: there is none. */
  occupied?(real: string): Error | undefined;
}

/** Makes the directory if need be, and returns its real path. Throws DirectoryRefused if it must not be cleared, or what occupies it. */
export async function makeClearable(path: string, guard: DirectoryGuard): Promise<string> {
  // Asked before anything is made, and again for where links lead.
  refuseHarmful(path, path, guard);
  await makeDirectory(path);
  const real = await realpath(path);
  refuseHarmful(path, real, guard);
  return real;
}

/** Makes the directory if need be, empties it, and returns its real path. Throws DirectoryRefused. */
export async function makeEmpty(path: string, guard: DirectoryGuard): Promise<string> {
  const real = await makeClearable(path, guard);
  await clearContents(Buffer.from(real));
  return real;
}

/** Empties the directory if it exists; it stays itself, since it may be a mount. Throws DirectoryRefused. */
export async function emptyIfThere(path: string, guard: DirectoryGuard): Promise<void> {
  const real = await realpath(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (real === undefined) return;
  refuseHarmful(path, real, guard);
  await clearContents(Buffer.from(real));
}

/** Removes a directory of our own with all that is in it. */
export async function removeDirectory(path: string): Promise<void> {
  await openingClosed(Buffer.from(path), () => rm(path, { recursive: true, force: true }));
}

/** The real path that this one has, or would have once it is made. Makes nothing, and never throws. */
export async function realPathOf(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch {
    const parent = dirname(path);
    return parent === path ? path : join(await realPathOf(parent), basename(path));
  }
}

/** Whether `inner` is `outer` or lies below it; both absolute. */
export function contains(outer: string, inner: string): boolean {
  const path = relative(outer, inner);
  return path === "" || (path !== ".." && !path.startsWith(`..${sep}`));
}

function refuseHarmful(named: string, real: string, guard: DirectoryGuard): void {
  const kept: [string, string][] = [
    ["the root directory", "/"],
    ["the agent's working directory", guard.workdir],
    ["the home directory", homedir()],
    ["the state file", guard.stateFile],
    ["the directory for temporary files", tmpdir()],
    ["the agent's own program", process.execPath],
    ["the agent's own program", process.argv[1] ?? process.execPath],
    ...systemDirectories.map((path): [string, string] => ["a system directory", path]),
  ];
  const harmed = kept.find(([, path]) => contains(real, path));
  if (harmed) throw new DirectoryRefused(`refusing to clear ${named}: it is or contains ${harmed[0]}`);
  const system = systemTrees.find((path) => contains(path, real));
  if (system) throw new DirectoryRefused(`refusing to clear ${named}: it is inside ${system}`);
  const occupied = guard.occupied?.(real);
  if (occupied) throw occupied;
}

const separator = Buffer.from(sep);

function clearContents(directory: Buffer): Promise<void> {
  return openingClosed(directory, () => removeContents(directory));
}

/** What may not be removed as it is may be ours all the same: caches of packages are made read-only. */
async function openingClosed(directory: Buffer, remove: () => Promise<void>): Promise<void> {
  try {
    await remove();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "EACCES" && code !== "EPERM") throw error;
    await openDirectories(directory);
    await remove();
  }
}

async function removeContents(directory: Buffer): Promise<void> {
  // As bytes: names need not be UTF-8, and one that is misread would stay for the next job to find.
  for (const name of await readdir(directory, { encoding: "buffer" })) {
    const path = Buffer.concat([directory, separator, name]);
    try {
      await rm(path, { recursive: true, force: true, maxRetries: 2 });
    } catch (error) {
      // A mount inside cannot be removed, but its contents can.
      if ((error as NodeJS.ErrnoException).code !== "EBUSY") throw error;
      await clearContents(path);
    }
  }
}

/** Lets their owner into the directory and all below it, as far as that is up to us; what remains closed is told by the removal. */
async function openDirectories(directory: Buffer): Promise<void> {
  await chmod(directory, 0o700).catch(() => undefined);
  const entries = await readdir(directory, { encoding: "buffer", withFileTypes: true }).catch(() => []);
  for (const entry of entries) {
    if (entry.isDirectory()) await openDirectories(Buffer.concat([directory, separator, entry.name]));
  }
}
