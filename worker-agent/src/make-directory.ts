import { mkdir, stat } from "node:fs/promises";
import { dirname } from "node:path";

/**
 * Makes the directory, and those above it that are missing. Not with `recursive`: Node goes round for ever where a directory says ENOENT to
 * whatever is made in it (/proc does), in a thread that nothing ends.
 *
 * `made` gets each one that was not there before, outermost first, also when the innermost then fails.
 *
 * @throws the system's error.
 */
export async function makeDirectory(path: string, made: string[] = []): Promise<void> {
  try {
    await makeOne(path, made);
  } catch (error) {
    const parent = dirname(path);
    if ((error as NodeJS.ErrnoException).code !== "ENOENT" || parent === path) throw error;
    await makeDirectory(parent, made);
    await makeOne(path, made);
  }
}

async function makeOne(path: string, made: string[]): Promise<void> {
  try {
    await mkdir(path);
    made.push(path);
  } catch (error) {
    // There already, or somebody was faster. Read-only file systems may say so in other words than EEXIST.
    const isDirectory = await stat(path).then(
      (stats) => stats.isDirectory(),
      () => false,
    );
    if (!isDirectory) throw error;
  }
}
