/** Whether a disk is full, as the command that has just failed saw it. */
import { statfs } from "node:fs/promises";
import { unlessAborted } from "./pause.ts";

/** Less than this is nothing: a file system keeps a few blocks that nobody gets. */
const fullBelowBytes = 1_048_576;

/** A network disk that is gone answers never, and the end of an attempt waits for this. */
const lookMs = 2_000;

/** The first of these directories whose file system has no space or no inodes left; `withinMs` for all of them. */
export async function findFull(directories: string[], withinMs = lookMs): Promise<string | undefined> {
  const late = AbortSignal.timeout(withinMs);
  for (const directory of directories) {
    const asked = statfs(directory).catch(() => undefined); // not there: nothing was written to it
    const space = await unlessAborted(asked, late);
    if (!space) continue;
    // Blocks kept for root are free for root only.
    const freeBlocks = process.getuid?.() === 0 ? space.bfree : space.bavail;
    // Some file systems know no bound on inodes, and say 0 of 0.
    if (freeBlocks * space.bsize < fullBelowBytes || (space.files > 0 && space.ffree === 0)) return directory;
  }
  return undefined;
}
