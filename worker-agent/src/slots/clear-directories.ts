/** Clearing what jobs leave behind, so that no job sees another's files. */
import { realpath } from "node:fs/promises";
import type { AttemptSettings } from "../attempt.ts";
import { DirectoryRefused, emptyIfThere, makeClearable, makeEmpty } from "../directories.ts";
import { PathBusy } from "../directory-locks.ts";
import { type Log, reasonOf } from "../log.ts";
import { directoriesOf, type JobRules } from "../rules.ts";
import { DirectoryOccupied } from "./slot-directories.ts";
import type { Slot } from "./slot-environment.ts";

type Settings = Pick<AttemptSettings, "asides" | "guard" | "locks" | "slot" | "workdir">;

/** Made and emptied at the start; a node where that is impossible can still run jobs that name their own. */
export async function prepareLegacyDirectories(
  { directories }: Slot,
  { guard, locks }: Pick<Settings, "guard" | "locks">,
  log: Log,
): Promise<void> {
  for (const directory of Object.values(directories)) {
    try {
      const release = await locks.take([await makeClearable(directory, guard)]);
      await makeEmpty(directory, guard).finally(release);
    } catch (error) {
      log.warn("directory of older jobs is not usable", { directory, reason: reasonOf(error) });
    }
  }
}

/** After a job: its directories, and those that its environment named. */
export async function clearDirectories(rules: JobRules, settings: Settings, log: Log): Promise<void> {
  const { asides, guard, locks, slot, workdir } = settings;
  const directories = [...directoriesOf(rules, workdir), ...Object.values(slot.directories)];
  for (const directory of new Set(directories)) {
    try {
      // Outputs aside in here still upload; the next job that uses it waits for them and clears it then.
      if (await asides.isInside(directory)) continue;
      const real = await realpath(directory).catch(() => directory); // not there: nothing to clear
      const release = await locks.take([real]);
      await emptyIfThere(directory, guard).finally(release);
    } catch (error) {
      // Refused ones were never used, another agent's or slot's are its own. Others are cleared again before the next job, which fails if that fails.
      const isOthers = [DirectoryRefused, PathBusy, DirectoryOccupied].some((kind) => error instanceof kind);
      if (!isOthers) log.warn("directory not cleared", { directory, reason: reasonOf(error) });
    }
  }
}
