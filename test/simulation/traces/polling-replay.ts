/**
 * A job on its recorded nodes, under a queue that its workers poll. Nothing here is drawn: heartbeats beat from the claim,
 * polls from the worker's start, and each node's end falls where it falls between them.
 */
import type { Attempt } from "./account.ts";
import { type Assumptions, transferMs, uploadMs } from "./assumptions.ts";
import type { PollingQueue } from "./queues.ts";
import type { Stay } from "./timeline.ts";

export interface Work {
  computeMs: number;
  saveMs: number;
}

export function replayPolling(stays: Stay[], queue: PollingQueue, work: Work, known: Assumptions): Attempt[] {
  const attempts: Attempt[] = [];
  let availableMs = Number.NEGATIVE_INFINITY;
  let storedMs = 0;
  for (const stay of stays) {
    const faultsMs = [...stay.queueFaultsMs];
    // The application's own, whoever asks for work first; once per container.
    let checksMs = stay.warm ? 0 : known.checksMs;
    let readyMs = stay.fromMs + (queue.free || stay.warm ? 0 : known.workerStartMs);
    if (queue.checksFirst) {
      readyMs += checksMs;
      checksMs = 0;
    }
    for (let again = true; again; ) {
      const attempt = start(stay, queue, known, { readyMs, availableMs, storedMs, checksMs });
      checksMs = 0;
      const takenMs = queueTakes(queue, attempt, faultsMs);
      attempt.endMs = Math.min(stay.toMs, takenMs);
      const saved = run(attempt, stay, queue, work, known);
      storedMs = Math.max(storedMs, saved);
      attempts.push(attempt);
      if (attempt.reachedMs >= work.computeMs) return attempts;
      again = attempt.endMs < stay.toMs;
      if (again) {
        readyMs = attempt.endMs + queue.pauseMs;
        availableMs = attempt.endMs;
      } else if (attempt.claimedMs < stay.toMs) {
        const beats = Math.floor((stay.toMs - attempt.claimedMs) / queue.renewEveryMs);
        availableMs = attempt.claimedMs + beats * queue.renewEveryMs + queue.termMs;
      }
    }
  }
  throw new Error("the trace's last node did not outlive its job");
}

function start(
  stay: Stay,
  queue: PollingQueue,
  known: Assumptions,
  at: { readyMs: number; availableMs: number; storedMs: number; checksMs: number },
): Attempt {
  const { readyMs, availableMs, storedMs, checksMs } = at;
  const waitMs = Math.max(0, availableMs - readyMs);
  const pollingMs = queue.pollMs === 0 ? waitMs : Math.ceil(waitMs / queue.pollMs) * queue.pollMs;
  // A node that is gone by then comes to nothing; its attempt ends before it began.
  const claimedMs = readyMs + pollingMs + (queue.free ? 0 : known.callMs);
  const downloadedMs = claimedMs + (queue.free ? 0 : transferMs(known, stay.downMbps));
  return {
    machineId: stay.machineId,
    nodeFromMs: stay.fromMs,
    readyMs,
    availableMs,
    claimedMs,
    downloadedMs,
    startedMs: downloadedMs,
    beganMs: downloadedMs + checksMs,
    resumedMs: storedMs,
    reachedMs: storedMs,
    savingMs: 0,
    endMs: stay.toMs,
  };
}

/** When the worker stops because its queue took the job, though its node lives. */
function queueTakes(queue: PollingQueue, attempt: Attempt, faultsMs: number[]): number {
  const [faultMs] = faultsMs;
  const limitMs = attempt.claimedMs + queue.holdMs + queue.noticeMs;
  const steps = Math.ceil((limitMs - attempt.beganMs) / queue.stepMs);
  const limitStepMs = queue.stepMs > 0 ? attempt.beganMs + steps * queue.stepMs : limitMs;
  if (faultMs === undefined || queue.holdMs === Number.POSITIVE_INFINITY || faultMs > limitStepMs)
    return limitStepMs;
  faultsMs.shift();
  return Math.max(faultMs, attempt.beganMs);
}

/** Computes and saves until the attempt's end, or the job's; returns what of it is stored then. */
function run(attempt: Attempt, stay: Stay, queue: PollingQueue, work: Work, known: Assumptions): number {
  const uploadingMs = queue.free ? 0 : uploadMs(known, stay.upMbps);
  let atMs = attempt.beganMs;
  let doneMs = attempt.resumedMs;
  let storedMs = doneMs;
  let uploadingUntilMs = Number.NEGATIVE_INFINITY;
  for (;;) {
    const stepMs = Math.min(known.checkpointEveryMs, work.computeMs - doneMs);
    if (atMs + stepMs > attempt.endMs) break;
    atMs += stepMs;
    doneMs += stepMs;
    if (doneMs >= work.computeMs) {
      attempt.endMs = atMs;
      attempt.reachedMs = doneMs;
      return doneMs;
    }
    // A change during an upload is dropped; a node that vanishes takes what was under way with it.
    if (atMs >= uploadingUntilMs) {
      uploadingUntilMs = atMs + uploadingMs;
      if (uploadingUntilMs <= stay.toMs) storedMs = doneMs;
    }
    const savingMs = Math.min(work.saveMs, Math.max(0, attempt.endMs - atMs));
    atMs += savingMs;
    attempt.savingMs += savingMs;
  }
  attempt.reachedMs = doneMs + Math.max(0, attempt.endMs - atMs);
  return storedMs;
}
