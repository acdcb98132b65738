/**
 * Which paths the agents of this machine are using, so that none clears another's: one file per hold, in a place that
 * all of them know, naming the process that holds and the paths.
 *
 * A hold is written first and compared with all others then, so of two agents that want one path at the same moment at
 * least one sees the other: both may be refused, never both be let in. A file's name tells its process by id and start
 * time, so what a dead process left behind counts for nothing, and nobody takes it over: whoever sees it removes it.
 *
 * Where this ends: agents in different containers that share a volume do not see each other's processes.
 */
import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { chmod, open, readdir, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { contains } from "./directories.ts";
import { type Log, reasonOf } from "./log.ts";
import { makeDirectory } from "./make-directory.ts";
import { readProcess } from "./process-table.ts";

/** Another live agent uses this path, or one inside or around it. */
export class PathBusy extends Error {
  override readonly name = "PathBusy";
  readonly pid: number;
  constructor(path: string, pid: number) {
    super(`${path} is in use by another agent on this machine (process ${pid})`);
    this.pid = pid;
  }
}

/** Where all agents of one machine look. */
export const locksDirectory = () => join(tmpdir(), "kelpie-locks");

export interface Holder {
  pid: number;
  /** In ticks since the machine started; "0" where the system does not say. */
  started: string;
}

export type Release = () => Promise<void>;

const fileName = /^(\d+)-(\d+)-([0-9a-f]+)-\d+\.(?:lock|new)$/;

export class DirectoryLocks {
  readonly #log: Log;
  readonly #place: string;
  readonly #holder: Promise<Holder>;
  /** Tells this agent's holds from those of another one in the same process. */
  readonly #owner = randomBytes(8).toString("hex");
  #holds = 0;

  constructor(log: Log, place = locksDirectory(), holder?: Holder) {
    this.#log = log;
    this.#place = place;
    this.#holder = holder ? Promise.resolve(holder) : thisProcess();
  }

  /** Holds all of these real paths, besides what this agent holds already, until released. @throws PathBusy. */
  async take(paths: string[]): Promise<Release> {
    const { pid, started } = await this.#holder;
    this.#holds += 1;
    const name = join(this.#place, `${pid}-${started}-${this.#owner}-${this.#holds}`);
    const release = () => rm(`${name}.lock`, { force: true });
    try {
      await makeDirectory(this.#place);
      // For agents of other users too; only the one who made it can say so.
      await chmod(this.#place, 0o1777).catch(() => undefined);
      await writeFile(`${name}.new`, JSON.stringify(paths));
      await rename(`${name}.new`, `${name}.lock`);
      await this.#compare(paths);
      return release;
    } catch (error) {
      await release().catch(() => undefined); // where nothing could be written, there is nothing to release
      if (error instanceof PathBusy) throw error;
      // Most machines have one agent: better without this protection than without work.
      this.#log.warn("directories cannot be locked against other agents", { reason: reasonOf(error) });
      return async () => undefined;
    }
  }

  async #compare(paths: string[]): Promise<void> {
    for (const name of await readdir(this.#place)) {
      const [, pid, started, owner] = fileName.exec(name) ?? [];
      if (pid === undefined || owner === this.#owner) continue;
      const file = join(this.#place, name);
      if (!(await isAlive({ pid: Number(pid), started: started ?? "0" }))) {
        // Another user's may stay; it counts for nothing.
        await rm(file, { force: true }).catch(() => undefined);
        continue;
      }
      if (!name.endsWith(".lock")) continue;
      for (const held of await pathsIn(file)) {
        const busy = paths.find((path) => contains(path, held) || contains(held, path));
        if (busy !== undefined) throw new PathBusy(busy, Number(pid));
      }
    }
  }
}

/** None when it was released meanwhile, or is no file of ours: a job that puts a pipe in its place must not make us wait for a writer. */
async function pathsIn(path: string): Promise<string[]> {
  try {
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      return (await file.stat()).isFile() ? JSON.parse(await file.readFile("utf8")) : [];
    } finally {
      await file.close();
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

async function thisProcess(): Promise<Holder> {
  return { pid: process.pid, started: (await startOf(process.pid)) ?? "0" };
}

async function isAlive({ pid, started }: Holder): Promise<boolean> {
  if (started !== "0") return (await startOf(pid)) === started;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** When the process started; undefined: it is over, or this is no Linux. */
export async function startOf(pid: number): Promise<string | undefined> {
  const known = readProcess(pid);
  return known && !known.zombie ? String(known.start) : undefined;
}
