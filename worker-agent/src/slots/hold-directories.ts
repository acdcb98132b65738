/**
 * A job's directories, held against the other slots' jobs before anything of it is made or cleared. Whoever is in the way is waited
 * for, with the lease held, but not for ever: see patience.ts, and docs/slots.md for why.
 */
import type { UploadingAside } from "../aside.ts";
import type { Attempt, AttemptSettings } from "../attempt.ts";
import { realPathOf } from "../directories.ts";
import { checkGoesOn } from "../ending.ts";
import { pause } from "../pause.ts";
import { directoriesOf, type JobRules } from "../rules.ts";
import type { Patience } from "./patience.ts";
import { DirectoryOccupied, type SlotDirectories } from "./slot-directories.ts";

interface HoldSettings {
  slots: number;
  directories: SlotDirectories;
  patience: Patience;
}

/**
 * Holds the directories of the rules and those that the environment names: its command may write there as well.
 *
 * @throws DirectoryOccupied after as long as it is worth waiting.
 */
export async function holdDirectories(
  rules: JobRules,
  { job, lease, log }: Attempt,
  { asides, shutdown, slot, workdir }: AttemptSettings,
  { directories, patience, slots }: HoldSettings,
): Promise<() => void> {
  const ofRules = directoriesOf(rules, workdir);
  const all = new Set([...ofRules, ...Object.values(slot.directories)]);
  const paths = await Promise.all([...all].map(realPathOf));
  const enough = new AbortController();
  const until = AbortSignal.any([lease.trust.ended, shutdown.stopping, enough.signal]);
  const holdMs = patience.holdMs(job.id);
  let waits = false;
  const alone = slots === 1;
  const onWait = ({ message }: DirectoryOccupied) => {
    // An earlier job of its own, whose outputs still upload: it has nothing else to do, so it waits as long as it takes.
    if (alone) {
      log.info("waiting: an earlier job's outputs lie in this job's directories");
      return;
    }
    log.info("waiting for a directory", { reason: message, at_most_seconds: holdMs / 1000 });
    if (!waits) void pause(holdMs, until).then(() => enough.abort());
    waits = true;
  };
  let release = () => {};
  try {
    release = await directories.take(paths, { jobId: job.id, slot: slot.number }, until, onWait);
    const occupied = (aside: UploadingAside) => new DirectoryOccupied(job.id, aside);
    const left = await asides.leave(ofRules, until, (aside) => onWait(occupied(aside)));
    if (left) throw occupied(left);
    checkGoesOn(lease, shutdown.stopping);
    patience.ran(job.id);
    return release;
  } catch (error) {
    release();
    checkGoesOn(lease, shutdown.stopping);
    if (error instanceof DirectoryOccupied) patience.refused(job.id);
    throw error;
  } finally {
    enough.abort();
  }
}
