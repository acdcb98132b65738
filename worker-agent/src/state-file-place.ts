/** Where the state file is to lie: asked by the agent before it begins, and by `kelpie check` in the same words. */
import { rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { reasonOf } from "./log.ts";
import { makeDirectory } from "./make-directory.ts";
import { blameOfErrno } from "./transfer/blame.ts";

/**
 * Makes the state file's directory if need be. The answer: why no state file can ever lie there, in words that name the variable; undefined:
 * one can, or what is in the way is this node's and may pass.
 *
 * `made` gets the directories that were not there before.
 */
export async function whyNoStateFile(path: string, made: string[] = []): Promise<string | undefined> {
  const directory = dirname(path);
  try {
    await makeDirectory(directory, made);
    await tryToWrite(path);
    return undefined;
  } catch (error) {
    const { code, syscall } = error as NodeJS.ErrnoException;
    if (syscall === "mkdir") {
      // A file system that is read-only stays so: jobs could do without the file, but somebody has asked for it there.
      if (blameOfErrno(code) !== "config" && code !== "EROFS") return undefined;
      return `KELPIE_STATE_FILE: ${path} cannot be: its directory cannot be made (${reasonOf(error)})`;
    }
    // A directory that takes no files at all, as those below /proc. One that only this user may not write to is an image's WORKDIR.
    return code === "ENOENT" ? `KELPIE_STATE_FILE: ${path} cannot be (${reasonOf(error)})` : undefined;
  }
}

/** Writes beside the state file, as each new version of it is, and removes that. @throws the system's error. */
export async function tryToWrite(path: string): Promise<void> {
  const temporary = temporaryOf(path);
  await writeFile(temporary, "");
  await rm(temporary, { force: true });
}

/** What becomes the state file's next version. */
export function temporaryOf(path: string): string {
  return `${path}.${process.pid}.tmp`;
}
