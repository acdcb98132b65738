/**
 * Outputs moved aside, so that the next job finds its directories empty while they still upload. Entries are moved one
 * by one: the directory itself may be a mount, a link, or part of an image layer that cannot be renamed. What links in
 * them point to is taken in first (link-contents.ts). Directories are told apart by their real paths.
 */
import { isUtf8 } from "node:buffer";
import { cp, lstat, mkdir, readdir, realpath, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
import type { UploadRule } from "../../src/contract/index.ts";
import { contains, realPathOf, removeDirectory } from "./directories.ts";
import type { DirectoryLocks, Release } from "./directory-locks.ts";
import { type OutputDirectory, takeInLinks } from "./link-contents.ts";
import { makeDirectory } from "./make-directory.ts";
import { unlessAborted } from "./pause.ts";
import { ownName } from "./transfer/object-key.ts";
import { patternOf, type RulePattern } from "./transfer/patterns/rule-pattern.ts";
import type { Concerns } from "./transfer/walk.ts";

/** Directories moved aside for one attempt. */
export interface Aside {
  /** Where the files of this rule are now. */
  from(rule: UploadRule): string;
  /** Deletes them. */
  remove(): Promise<void>;
}

/** Both are real paths. */
interface Move {
  original: string;
  aside: string;
}

/** Outputs that wait for their upload. */
export interface UploadingAside {
  jobId: string;
  /** The directory that was theirs, and the one asked about that holds them now; real paths. */
  held: string;
  wanted: string;
  /** Resolves once they are gone. */
  removed: Promise<void>;
}

export interface MoveSettings {
  /** Whose outputs these are. */
  jobId: string;
  /** Relative `local_path`s start here. */
  workdir: string;
  /** Ends the taking in of what links point to. */
  signal: AbortSignal;
  /** Told of what is there and cannot be an output. */
  onPassedOver(message: string): void;
}

export class Asides {
  readonly #active = new Map<string, Omit<UploadingAside, "wanted">>();
  readonly #locks: Pick<DirectoryLocks, "take">;

  constructor(locks: Pick<DirectoryLocks, "take">) {
    this.#locks = locks;
  }

  /** Moves the contents of all directories of the rules aside. Nothing may be writing to them. */
  async move(rules: UploadRule[], { jobId, workdir, signal, onPassedOver }: MoveSettings): Promise<Aside> {
    const moves: Move[] = [];
    const holds: Release[] = [];
    const reals = new Map<UploadRule, string>();
    const removed = Promise.withResolvers<void>();
    const remove = async () => {
      try {
        for (const { aside } of moves) await removeDirectory(aside);
      } finally {
        // What remains is in nobody's way: it is cleared with the directory that holds it.
        for (const { aside } of moves) this.#active.delete(aside);
        for (const release of holds) await release();
        removed.resolve();
      }
    };
    try {
      for (const rule of rules) {
        const directory = resolve(workdir, rule.local_path);
        await makeDirectory(directory); // a command may have removed it: no outputs
        reals.set(rule, await realpath(directory));
      }
      const directories = outputDirectories(reals, workdir);
      await takeInLinks(directories, signal, onPassedOver);
      for (const { real } of directories) {
        const aside = await makeAside(real);
        this.#active.set(aside, { jobId, held: real, removed: removed.promise });
        moves.push({ original: real, aside });
        // It lies beside the directory, which alone is held: another agent's job may use what they lie in.
        holds.push(await this.#locks.take([aside]));
        for (const name of await namesIn(real)) await move(join(real, name), join(aside, name));
      }
    } catch (error) {
      await remove();
      throw error;
    }
    return { from: (rule) => locate(moves, reals.get(rule) ?? resolve(workdir, rule.local_path)), remove };
  }

  /** Whether something that is aside lies inside this directory, which so must not be cleared. */
  async isInside(directory: string): Promise<boolean> {
    return (await this.#uploadingIn([directory])).length > 0;
  }

  /**
   * Resolves once nothing that is aside lies inside one of these directories, so that they can be cleared; or, should `until` abort before,
   * with what still does. `onWait` is told of each that is waited for.
   */
  async leave(
    directories: string[],
    until: AbortSignal,
    onWait: (aside: UploadingAside) => void,
  ): Promise<UploadingAside | undefined> {
    for (;;) {
      const [aside] = await this.#uploadingIn(directories);
      if (!aside) return undefined;
      onWait(aside);
      await unlessAborted(aside.removed, until);
      if (until.aborted) return aside;
    }
  }

  async #uploadingIn(directories: string[]): Promise<UploadingAside[]> {
    const reals = await Promise.all(directories.map(realPathOf));
    return reals.flatMap((wanted) =>
      [...this.#active]
        .filter(([aside]) => contains(wanted, aside))
        .map(([, uploading]) => ({ ...uploading, wanted })),
    );
  }
}

/** Beside the original, on the same file system, so that nothing needs to be copied; else where files may be made. */
async function makeAside(original: string): Promise<string> {
  const name = ownName("aside");
  const beside = join(dirname(original), name);
  try {
    await mkdir(beside, { mode: 0o700 });
    return beside;
  } catch {
    // The parent is read-only: a copy elsewhere is slower, and right.
    const elsewhere = join(await realpath(tmpdir()), name);
    await mkdir(elsewhere, { mode: 0o700 });
    return elsewhere;
  }
}

/** Without names that are no text: no rule wants those, or the links would not have been taken in. */
async function namesIn(directory: string): Promise<string[]> {
  const names = await readdir(directory, { encoding: "buffer" });
  return names.flatMap((bytes) => (isUtf8(bytes) ? [bytes.toString()] : []));
}

async function move(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "EXDEV" && code !== "EBUSY") throw error;
    const filter = async (path: string) => isCopyable(await lstat(path));
    await cp(from, to, { recursive: true, verbatimSymlinks: true, preserveTimestamps: true, filter });
    await rm(from, { recursive: true, force: true }).catch((failure: NodeJS.ErrnoException) => {
      if (failure.code !== "EBUSY") throw failure; // a mount inside; clearing the directory empties it
    });
  }
}

/** Pipes, sockets and devices cannot be copied; what matters of them was told before. */
function isCopyable(stats: {
  isFile(): boolean;
  isDirectory(): boolean;
  isSymbolicLink(): boolean;
}): boolean {
  return stats.isFile() || stats.isDirectory() || stats.isSymbolicLink();
}

/** The outermost directories of the rules: a directory inside another one moves with it. */
function outputDirectories(reals: Map<UploadRule, string>, workdir: string): OutputDirectory[] {
  const unique = [...new Set(reals.values())];
  const outermost = unique.filter((one) => !unique.some((other) => other !== one && contains(other, one)));
  return outermost.map((real) => {
    const inside = [...reals].filter(([, directory]) => contains(real, directory));
    const named = inside.find(([, directory]) => directory === real)?.[0].local_path ?? real;
    const concerns = outputsOf(
      real,
      inside.map(([rule, directory]) => ({ directory, pattern: patternOf(rule) })),
    );
    return { real, named: resolve(workdir, named), concerns };
  });
}

/** The files that one of the rules wants, by their paths in the outermost directory; each rule knows them by those in its own. */
function outputsOf(outermost: string, rules: { directory: string; pattern: RulePattern }[]): Concerns {
  return {
    async filter(items, pathOf) {
      const wanted = new Set<(typeof items)[number]>();
      for (const { directory, pattern } of rules) {
        const absolute = (item: (typeof items)[number]) => join(outermost, pathOf(item));
        const inside = items.filter((item) => contains(directory, absolute(item)));
        for (const item of await pattern.filter(inside, (item) => relative(directory, absolute(item))))
          wanted.add(item);
      }
      return items.filter((item) => wanted.has(item));
    },
  };
}

/** `directory`: a real path. */
function locate(moves: Move[], directory: string): string {
  const move = moves.find(({ original }) => contains(original, directory));
  if (!move) throw new Error(`${directory} was not moved aside`);
  return join(move.aside, relative(move.original, directory));
}
