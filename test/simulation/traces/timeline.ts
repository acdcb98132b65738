/**
 * When nodes were there, derived from a trace. Known: where the job ran, when it began there (`begin`), the last checkpoint that
 * survived (`last_seen`). A node came one start of the recording worker before `begin`: its jobs outnumbered or equalled its nodes,
 * so a new node found the job waiting. It vanished somewhere after `last_seen`; `lostShare` says where between the earliest and the
 * latest possible moment. The two are not separable from the trace alone: what is taken as lost work is not taken as "no node".
 */
import { type Assumptions, transferMs, uploadMs } from "./assumptions.ts";
import { type PollingQueue, recordingQueue } from "./queues.ts";
import type { Segment, TracedJob } from "./trace-file.ts";

export interface Stay {
  machineId: string;
  downMbps: number;
  upMbps: number;
  fromMs: number;
  /** Infinity: outlived the job. */
  toMs: number;
  /** Was there before, at another job of the same fleet: its worker runs, its checks are done. */
  warm: boolean;
  /** When the recording queue took the job from its living worker, sooner than by its own limit: a fault of that queue. */
  queueFaultsMs: number[];
}

/** One start of a worker on a node where the job waits. */
export function startMs(known: Assumptions, at: { downMbps: number }, warm: boolean): number {
  const own = warm ? 0 : known.workerStartMs + known.checksMs;
  return own + known.callMs + transferMs(known, at.downMbps);
}

/** From a node's end until the job is claimed elsewhere, on average: half a renewal has passed, half a poll will. */
export function meanDetectionMs(queue: PollingQueue): number {
  return queue.termMs - queue.renewEveryMs / 2 + queue.pollMs / 2;
}

export function nodeTimeline(job: TracedJob, fleet: TracedJob[], known: Assumptions): Stay[] {
  const queue = recordingQueue(job.source);
  const stays: Stay[] = [];
  for (const [i, segment] of job.segments.entries()) {
    const previous = job.segments[i - 1];
    const stay = stays.at(-1);
    if (!previous || !stay) {
      stays.push(stayOf(segment, segment.beginMs - startMs(known, segment, false), false));
      continue;
    }
    if (previous.machineId === segment.machineId) {
      // The node never left: the queue took the job and gave it back.
      const limitMs = previous.beginMs + queue.holdMs;
      if (previous.lastSeenMs < limitMs - known.checkpointEveryMs)
        stay.queueFaultsMs.push(previous.lastSeenMs);
      continue;
    }
    const gapMs = segment.beginMs - previous.lastSeenMs;
    const freeSinceMs = freeSince(segment, job, fleet);
    const warm = freeSinceMs !== null && freeSinceMs <= previous.lastSeenMs;
    // What detection and start leave of the gap.
    const roomMs = gapMs - startMs(known, segment, warm) - meanDetectionMs(queue);
    const latestMs = Math.max(0, Math.min(known.checkpointEveryMs, roomMs));
    // The last checkpoint survived, so it was uploaded before.
    const earliestMs = Math.min(latestMs, uploadMs(known, stay.upMbps));
    // With a node waiting all along, all of that room was lost work.
    const shareLost = warm ? 1 : known.lostShare;
    stay.toMs = previous.lastSeenMs + earliestMs + (latestMs - earliestMs) * shareLost;
    // Whenever it was free before, it did not get this job.
    const fromMs = warm
      ? Math.max(freeSinceMs, previous.beginMs)
      : Math.max(segment.beginMs - startMs(known, segment, false), stay.toMs);
    stays.push(stayOf(segment, fromMs, warm));
  }
  return stays;
}

function stayOf(segment: Segment, fromMs: number, warm: boolean): Stay {
  const { machineId, downMbps, upMbps } = segment;
  return {
    machineId,
    downMbps,
    upMbps,
    fromMs,
    toMs: Number.POSITIVE_INFINITY,
    warm,
    queueFaultsMs: [],
  };
}

/** Since when the machine had been idle, if another job of the same recording ended on it before. */
function freeSince(segment: Segment, job: TracedJob, fleet: TracedJob[]): number | null {
  const ended = fleet
    .filter((other) => other !== job && other.source === job.source)
    .map((other) => other.segments.at(-1))
    .filter((last) => last?.machineId === segment.machineId && last.lastSeenMs <= segment.beginMs)
    .map((last) => last?.lastSeenMs ?? 0);
  return ended.length > 0 ? Math.max(...ended) : null;
}

/**
 * What the application itself spends on saving one checkpoint: measured within the segments, where nothing else happens; those
 * aside at whose end the queue took the job, since they end with the worker's notice of it.
 */
export function saveMs(job: TracedJob, known: Assumptions): number {
  let excessMs = 0;
  let saves = 0;
  for (const [i, { beginMs, lastSeenMs, machineId }] of job.segments.entries()) {
    if (job.segments[i + 1]?.machineId === machineId) continue;
    const count = Math.floor((lastSeenMs - beginMs) / known.checkpointEveryMs);
    excessMs += lastSeenMs - beginMs - count * known.checkpointEveryMs;
    saves += count;
  }
  return saves === 0 ? 0 : excessMs / saves;
}
