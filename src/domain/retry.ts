/** When a job is tried again, and when trying again is no use. Pure. */

/** Longest pause between a failure and the next try, unless the job itself asks for a longer one. */
export const maxRetryDelaySeconds = 3_600;

/**
 * Quarantine: so many acknowledged attempts in a row, on so many machines, that all died early or stalled in vain. A node that vanishes just so
 * is a matter of once in days (mean time between interruptions about 92 h); five in a row are the job's own doing: it kills
 * its container, by memory or otherwise.
 */
export const quarantineAttempts = 5;
export const quarantineMachines = 3;
/** A command that ran for so long did not die of its start. */
const earlyDeathMs = 10 * 60_000;

/**
 * Whether an attempt that fell silent had died early. Null: nobody can tell (an old worker, or silence before the command
 * started: downloads say nothing about the job), and it neither counts nor clears what counted before.
 */
export function diedEarly(attempt: {
  commandStartedMs: number | null;
  lastSeenMs: number;
  /** Checkpoints or steps that the attempt told of. */
  progress: number;
}): boolean | null {
  if (attempt.commandStartedMs === null) return null;
  return attempt.progress === 0 && attempt.lastSeenMs - attempt.commandStartedMs < earlyDeathMs;
}

/**
 * Whether an attempt that stalled had got nowhere at all: that counts as an early death, whatever its age, for a job that hangs
 * everywhere must end. Null: no renewal told how it got on.
 */
export function stalledInVain(attempt: { renewedMs: number | null; progress: number }): boolean | null {
  return attempt.renewedMs === null ? null : attempt.progress === 0;
}
