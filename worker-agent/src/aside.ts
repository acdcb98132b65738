/**
 * Outputs moved aside, so that the next job finds its directories empty while they still upload. Entries are moved one
 * by one: the directory itself may be a mount, a link, or part of an image layer that cannot be renamed.
 */
import { cp, mkdir, mkdtemp, readdir, realpath, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
import type { UploadRule } from "../../src/contract/index.ts";
import { contains } from "./directories.ts";

/** Directories moved aside for one attempt. */
export interface Aside {
  /** Where the files of this rule are now. */
  from(rule: UploadRule): string;
  /** Deletes them. */
  remove(): Promise<void>;
}

interface Move {
  original: string;
  aside: string;
}

export class Asides {
  readonly #active = new Map<string, Promise<void>>();

  /** Moves the contents of all directories of the rules aside. Nothing may be writing to them. */
  async move(rules: UploadRule[], workdir: string, label: string): Promise<Aside> {
    const moves: Move[] = [];
    const removed = Promise.withResolvers<void>();
    const remove = async () => {
      for (const { aside } of moves) {
        await rm(aside, { recursive: true, force: true });
        this.#active.delete(aside);
      }
      removed.resolve();
    };
    try {
      for (const directory of outermost(rules.map((rule) => resolve(workdir, rule.local_path)))) {
        await mkdir(directory, { recursive: true }); // a command may have removed it: no outputs
        const original = await realpath(directory);
        const aside = await makeAside(original, label);
        this.#active.set(aside, removed.promise);
        moves.push({ original: directory, aside });
        for (const name of await readdir(original)) await move(join(original, name), join(aside, name));
      }
    } catch (error) {
      await remove();
      throw error;
    }
    return { from: (rule) => locate(moves, resolve(workdir, rule.local_path)), remove };
  }

  /** Whether something that is aside lies inside this directory, which so must not be cleared. */
  async isInside(directory: string): Promise<boolean> {
    return (await this.#inside(directory)).length > 0;
  }

  /**
   * Resolves once nothing that is aside lies inside one of these directories, so that they can be cleared. `onWait` is
   * told if that takes time.
   */
  async leave(directories: string[], onWait: () => void): Promise<void> {
    const waits = (await Promise.all(directories.map((directory) => this.#inside(directory)))).flat();
    if (waits.length > 0) onWait();
    await Promise.all(waits);
  }

  async #inside(directory: string): Promise<Promise<void>[]> {
    const real = await realpath(directory).catch(() => directory); // not there yet: nothing inside
    return [...this.#active].filter(([aside]) => contains(real, aside)).map(([, removed]) => removed);
  }
}

/** Beside the original, on the same file system, so that nothing needs to be copied; else where files may be made. */
async function makeAside(original: string, label: string): Promise<string> {
  const name = `.kelpie-after-${label}-`;
  try {
    return await mkdtemp(join(dirname(original), name));
  } catch {
    // The parent is read-only: a copy elsewhere is slower, and right.
    return await mkdtemp(join(tmpdir(), name));
  }
}

async function move(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "EXDEV" && code !== "EBUSY") throw error;
    await cp(from, to, { recursive: true, verbatimSymlinks: true, preserveTimestamps: true });
    await rm(from, { recursive: true, force: true }).catch((failure: NodeJS.ErrnoException) => {
      if (failure.code !== "EBUSY") throw failure; // a mount inside; clearing the directory empties it
    });
  }
}

/** A directory inside another one moves with it. */
function outermost(directories: string[]): string[] {
  const unique = [...new Set(directories)];
  return unique.filter((one) => !unique.some((other) => other !== one && contains(other, one)));
}

function locate(moves: Move[], directory: string): string {
  const move = moves.find(({ original }) => contains(original, directory));
  if (!move) throw new Error(`${directory} was not moved aside`);
  return join(move.aside, relative(move.original, directory));
}
