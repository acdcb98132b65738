/** One state file, one agent: a second one would overwrite what the first one's jobs read in it. */
import { realpath } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { ConfigError } from "./config.ts";
import { type DirectoryLocks, PathBusy, type Release } from "./directory-locks.ts";
import { whyNoStateFile } from "./state-file-place.ts";

/** Holds the state file for this agent. @throws ConfigError while another one does, and where there can be none. */
export async function holdStateFile(locks: DirectoryLocks, path: string): Promise<Release> {
  const why = await whyNoStateFile(path);
  if (why !== undefined) throw new ConfigError([why]);
  try {
    return await locks.take([join(await realpath(dirname(path)), basename(path))]);
  } catch (error) {
    if (error instanceof PathBusy)
      throw new ConfigError([`KELPIE_STATE_FILE: ${error.message}; give each agent a file of its own`]);
    // Then it cannot be written either, which is said when it is; jobs can do without it.
    return async () => undefined;
  }
}
