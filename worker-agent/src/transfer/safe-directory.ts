/** Makes directories for downloads, and never outside the root: keys are written by strangers. */
import { lstat, mkdir, realpath } from "node:fs/promises";
import { dirname, join, sep } from "node:path";
import { makeDirectory } from "../make-directory.ts";
import { LocalFailure, onDisk, Refused } from "./failures.ts";

export class SafeRoot {
  readonly #root: string;
  readonly #real: Promise<string>;
  /** Directories known to be inside. Files are downloaded before the command runs, so nobody moves them meanwhile. */
  readonly #made = new Map<string, Promise<void>>();

  constructor(root: string) {
    this.#root = root;
    this.#real = makeRoot(root);
    // Each user of the root awaits it, and learns of its failure there.
    this.#real.catch(() => {});
  }

  /** Resolves once the directory exists and is known to lie below the root, links resolved. */
  make(directory: string): Promise<void> {
    const made = this.#made.get(directory) ?? this.#make(directory);
    this.#made.set(directory, made);
    return made;
  }

  async #make(directory: string): Promise<void> {
    const realRoot = await this.#real;
    if (directory === this.#root) return;
    await this.make(dirname(directory));
    await makeOne(directory);
    const real = await onDisk(directory, realpath(directory));
    if (real !== realRoot && !real.startsWith(join(realRoot, sep))) {
      throw new Refused(`${directory} leads to ${real}, outside ${this.#root}`);
    }
  }
}

async function makeRoot(root: string): Promise<string> {
  await onDisk(root, makeDirectory(root));
  return await onDisk(root, realpath(root));
}

async function makeOne(directory: string): Promise<void> {
  try {
    await onDisk(directory, mkdir(directory));
  } catch (failure) {
    if (!(failure instanceof LocalFailure) || failure.code !== "EEXIST") throw failure;
    const stats = await onDisk(directory, lstat(directory));
    if (stats.isFile()) throw new Refused(`${directory} is a file, and one key needs it as a directory`);
  }
}
