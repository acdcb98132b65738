/**
 * Where the files of one cut wait for their upload: hard links in a hidden directory beside the user's, so that a file which
 * is replaced or deleted meanwhile stays as it was. Copies where that is impossible or not enough.
 *
 * Beside, since programs list their checkpoint directory and would take ours for a checkpoint. Where that is another file
 * system (the directory is a mount), inside. The name tells whose it is: what a killed agent left is cleared by the
 * next one that cuts the same directory, and no other agent's.
 */
import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { copyFile, link, lstat, mkdir, open, readdir, rm, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { LocalFailure, onDisk } from "../transfer/failures.ts";
import { sameButCtime, stateOf } from "../transfer/file-state.ts";
import { ownName, ownNameStart } from "../transfer/object-key.ts";
import type { KnownFile } from "../transfer/ports.ts";

interface Link {
  original: string;
  staged: string;
}

export class Staging {
  readonly #root: string;
  readonly #directories = new Map<string, Promise<string>>();
  readonly #links: Link[] = [];
  #count = 0;

  /** `root`: the real path of the user's directory. */
  constructor(root: string) {
    this.#root = root;
  }

  /**
   * Links the file; where it now also lies. Undefined: it cannot be linked here.
   *
   * @throws LocalFailure, ENOENT if it is gone.
   */
  async link(original: string): Promise<string | undefined> {
    for (const parent of placesFor(this.#root)) {
      try {
        const staged = await this.#newPath(parent);
        await onDisk(original, link(original, staged));
        this.#links.push({ original, staged });
        return staged;
      } catch (failure) {
        if (!(failure instanceof LocalFailure) || !linkless.has(failure.code)) throw failure;
      }
    }
    return undefined;
  }

  /** The path of a file to be made here. */
  async newFile(): Promise<string> {
    const [beside, inside] = placesFor(this.#root);
    try {
      return await this.#newPath(beside);
    } catch (failure) {
      // Out of room is out of room inside too; what else there is may be about the parent alone.
      if (failure instanceof LocalFailure && failure.code === "ENOSPC") throw failure;
      return await this.#newPath(inside);
    }
  }

  /** Writes bytes to a new file here. */
  async write(bytes: Uint8Array): Promise<string> {
    const path = await this.newFile();
    const file = await onDisk(path, open(path, "wx", 0o600));
    try {
      await onDisk(path, file.writeFile(bytes));
    } catch (failure) {
      await rm(path, { force: true });
      throw failure;
    } finally {
      await file.close();
    }
    return path;
  }

  /** On file systems that share blocks a copy costs nothing. Undefined: they do not. */
  async clone(original: string): Promise<string | undefined> {
    const path = await this.newFile();
    try {
      await copyFile(original, path, constants.COPYFILE_FICLONE_FORCE);
      return path;
    } catch {
      // Whatever the reason: copying byte by byte works everywhere, and reports what does not.
      await rm(path, { force: true });
      return undefined;
    }
  }

  /**
   * Deletes everything here. Losing a link moves a file's ctime, as its making did: `onUnlinked` is told of both
   * states, so that nobody takes it for a write.
   */
  async remove(onUnlinked: (original: string, before: KnownFile, after: KnownFile) => void): Promise<void> {
    for (const { original, staged } of this.#links.splice(0)) {
      const before = await stateAt(original);
      await unlink(staged).catch(() => undefined); // gone together with the directory it was in
      const after = before && (await stateAt(original));
      if (before && after && sameButCtime(before, after)) onUnlinked(original, before, after);
    }
    for (const directory of this.#directories.values()) {
      const path = await directory.catch(() => undefined);
      if (path !== undefined) await rm(path, { recursive: true, force: true });
    }
    this.#directories.clear();
  }

  async #newPath(parent: string): Promise<string> {
    const made = this.#directories.get(parent) ?? makeHidden(parent, this.#root);
    made.catch(() => undefined); // every caller learns of it where it awaits
    this.#directories.set(parent, made);
    this.#count += 1;
    return join(await made, String(this.#count));
  }
}

/** Another file system, a parent that nobody may write to, a file system or a kernel that makes no such links, too many of them. */
const linkless = new Set<string | undefined>([
  "EXDEV",
  "EPERM",
  "EACCES",
  "EROFS",
  "EMLINK",
  "ENOTSUP",
  "EOPNOTSUPP",
]);

function placesFor(root: string): [string, string] {
  return [dirname(root), root];
}

async function stateAt(path: string): Promise<KnownFile | undefined> {
  try {
    return stateOf(await lstat(path, { bigint: true }));
  } catch {
    return undefined; // gone, and with it whatever was known of it
  }
}

async function makeHidden(parent: string, root: string): Promise<string> {
  const path = join(parent, ownName("snapshot", ownerOf(root)));
  await onDisk(path, mkdir(path, { mode: 0o700 }));
  return path;
}

function ownerOf(root: string): string {
  return createHash("sha256").update(root).digest("hex").slice(0, 16);
}

/** Removes what an agent that was killed left for this directory, which is nobody's but ours now. */
export async function clearLeftovers(root: string): Promise<void> {
  const start = ownNameStart("snapshot", ownerOf(root));
  for (const parent of placesFor(root)) {
    const names = await readdir(parent).catch(() => []); // unreadable: then nothing was made there
    for (const name of names.filter((one) => basename(one).startsWith(start))) {
      await rm(join(parent, name), { recursive: true, force: true }).catch(() => undefined);
    }
  }
}
