/** Where the seconds of a run went that did not end up in the result: every one of them is somebody's. */

/** One attempt, or a stay of a node that came to nothing, as it happened. Milliseconds, absolute; Infinity: never came. */
export interface Attempt {
  machineId: string;
  /** The node was there. */
  nodeFromMs: number;
  /** Its worker could ask for work. */
  readyMs: number;
  /** The job could be claimed. */
  availableMs: number;
  claimedMs: number;
  downloadedMs: number;
  /** The command runs: its own checks come first. */
  startedMs: number;
  /** It works on the job. */
  beganMs: number;
  /** How far the job was when it began, and when it ended. */
  resumedMs: number;
  reachedMs: number;
  /** Spent by the application on saving, in between. */
  savingMs: number;
  endMs: number;
}

export const categories = ["noNode", "lost", "app", "detection", "start", "download"] as const;
export type Category = (typeof categories)[number];
/** Of the trace: no queue could have these back. The others are the queue's and its worker's. */
export const fromTheTrace: readonly Category[] = ["noNode", "lost", "app"];

export interface Account {
  wallMs: number;
  ms: Record<Category, number>;
  interruptions: number;
  /** Of the wall time, what nobody answers for; anything but rounding is a fault of the model. */
  unexplainedMs: number;
}

/** `computeMs`: what the job takes. The wall time runs from the first attempt's work to the last one's end, as in the recording. */
export function accountOf(attempts: Attempt[], computeMs: number): Account {
  const ms: Record<Category, number> = { noNode: 0, lost: 0, app: 0, detection: 0, start: 0, download: 0 };
  const first = attempts[0];
  const last = attempts.at(-1);
  if (!first || !last) throw new Error("an account of no attempts");
  if (last.reachedMs < computeMs) throw new Error("an account of a job that did not end");
  let nowMs = first.beganMs;
  const until = (atMs: number, endMs: number, category: Category) => {
    const toMs = Math.max(nowMs, Math.min(atMs, endMs));
    ms[category] += toMs - nowMs;
    nowMs = toMs;
  };
  let interruptions = 0;
  for (const [i, attempt] of attempts.entries()) {
    const { endMs } = attempt;
    until(attempt.nodeFromMs, endMs, "noNode");
    until(attempt.readyMs, endMs, "start");
    // A worker that was ready first: until it has the job, its last poll included.
    const waited = attempt.availableMs > attempt.readyMs;
    until(attempt.claimedMs, endMs, waited ? "detection" : "start");
    until(attempt.downloadedMs, endMs, "download");
    until(attempt.startedMs, endMs, "start");
    until(attempt.beganMs, endMs, "app");
    ms.app += attempt.savingMs;
    nowMs = Math.max(nowMs, endMs);
    const next = attempts[i + 1];
    if (!next) continue;
    interruptions++;
    ms.lost += attempt.reachedMs - next.resumedMs;
  }
  const wallMs = last.endMs - first.beganMs;
  const sumMs = categories.reduce((sum, category) => sum + ms[category], 0);
  return { wallMs, ms, interruptions, unexplainedMs: wallMs - computeMs - sumMs };
}
