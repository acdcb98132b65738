/**
 * What links in a directory point to becomes part of the directory, so that it can be moved and later uploaded whatever
 * becomes of the rest: the next job clears and rewrites the places that they point to. All links are resolved before
 * anything is changed, and everything is changed before anything is moved.
 */
import { constants } from "node:fs";
import { copyFile, link, rename, rm, stat, utimes } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { contains } from "./directories.ts";
import { makeDirectory } from "./make-directory.ts";
import { LocalFailure, onDisk, transferError } from "./transfer/failures.ts";
import { ownName } from "./transfer/object-key.ts";
import { TransferError } from "./transfer/ports.ts";
import { judge } from "./transfer/retry.ts";
import { summed } from "./transfer/summed-failures.ts";
import { type Concerns, type Walk, walk } from "./transfer/walk.ts";

/** A directory by its real path, and what jobs call it. */
export interface OutputDirectory {
  real: string;
  named: string;
  /** Which files are outputs of a rule. */
  concerns: Concerns;
}

/**
 * Puts the files behind links into the directories, and removes what cannot be an output (circles, pipes) with a word
 * to `onPassedOver`.
 *
 * @throws TransferError that names every output which cannot be had: a link to nothing, an unreadable entry.
 */
export async function takeInLinks(
  directories: OutputDirectory[],
  signal: AbortSignal,
  onPassedOver: (message: string) => void,
): Promise<void> {
  const walks: Walk[] = [];
  const failures: TransferError[] = [];
  for (const { real, named, concerns } of directories) {
    const found = await walk(real, signal, concerns);
    if (!found) continue;
    walks.push(found);
    const called = (path: string) => join(named, relative(real, path));
    for (const failure of found.unreadable)
      failures.push(transferError(judge(failure).fault, `the output ${called(failure.path)}`, failure));
    for (const { path, why, dangling } of found.passedOver) {
      const message = `the output ${called(path)} cannot be uploaded: ${why}`;
      if (dangling) failures.push(new TransferError("config", message));
      else onPassedOver(message);
    }
  }
  if (failures.length > 0) throw summed(failures);
  const isMoved = (path: string) => directories.some(({ real }) => contains(real, path));
  for (const { links, passedOver } of walks) {
    for (const path of [...links, ...passedOver.map((passed) => passed.path)]) await removeLink(path);
  }
  for (const { files } of walks) {
    for (const [path, { linkedFrom }] of files) {
      signal.throwIfAborted();
      if (linkedFrom !== undefined) await takeIn(linkedFrom, path, isMoved(linkedFrom));
    }
  }
}

async function removeLink(path: string): Promise<void> {
  await onDisk(path, rm(path, { force: true })).catch((failure: unknown) => {
    // What was passed over behind a link went with that link.
    if (!(failure instanceof LocalFailure && failure.missing)) throw failure;
  });
}

/** `isMoved`: the original moves along and nothing writes to it any more, so that a second name for it is enough. */
async function takeIn(original: string, path: string, isMoved: boolean): Promise<void> {
  await onDisk(path, makeDirectory(dirname(path)));
  if (isMoved && (await linked(original, path))) return;
  const copy = join(dirname(path), ownName("link"));
  const { atime, mtime } = await onDisk(original, stat(original));
  // Costs nothing on file systems that share blocks.
  await onDisk(original, copyFile(original, copy, constants.COPYFILE_FICLONE));
  await onDisk(copy, utimes(copy, atime, mtime));
  await onDisk(path, rename(copy, path));
}

async function linked(original: string, path: string): Promise<boolean> {
  try {
    await link(original, path);
    return true;
  } catch {
    // Another file system, or one without hard links: a copy works everywhere, and reports what does not.
    return false;
  }
}
