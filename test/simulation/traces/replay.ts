/** Each job of a trace under each system, on the same nodes. */

import type { Violation } from "../judge/verdict.ts";
import { hour } from "../scenario.ts";
import { type Account, accountOf } from "./account.ts";
import type { Assumptions } from "./assumptions.ts";
import { type EngineReplay, replayOnEngine } from "./engine-replay.ts";
import { replayPolling, type Work } from "./polling-replay.ts";
import { ideal, kelpie, type PollingQueue, recordingQueue } from "./queues.ts";
import { nodeTimeline, type Stay, saveMs } from "./timeline.ts";
import type { TracedJob } from "./trace-file.ts";

/** How far the reproduction may be off, in percentage points of efficiency. */
export const tolerancePoints = 0.3;
/** Of one job's account; milliseconds are rounded here and there. */
const roundingMs = 1_000;

export interface JobReplay {
  job: TracedJob;
  queue: PollingQueue;
  stays: Stay[];
  computeMs: number;
  recorded: number;
  /** By the model of the queue that recorded the trace. */
  reproduced: number;
  /** The original's; the same thing where it recorded the trace. */
  original: Account;
  /** Null: not asked for. */
  ours: Account | null;
  bound: Account;
  /** The bound if every moment of work were saved at once. */
  continuousWallMs: number;
  engine: EngineReplay | null;
  /** What makes the run worthless, in words. */
  broken: string[];
}

export const efficiency = (computeMs: number, wallMs: number) => (100 * computeMs) / wallMs;

export interface Terms {
  known: Assumptions;
  /** Other nodes than the trace's; from theirs. */
  nodes?: (stays: Stay[], job: TracedJob) => Stay[];
  /** Another queue than the one that recorded the trace. */
  queue?: (recording: PollingQueue) => PollingQueue;
  /** The engine's run takes a second per job; the others nothing. */
  withOurs: boolean;
}

export async function replayJob(
  job: TracedJob,
  fleet: TracedJob[],
  terms: Terms,
  seed: number,
): Promise<JobReplay> {
  const { known } = terms;
  const recording = recordingQueue(job.source);
  const queue = terms.queue?.(recording) ?? recording;
  const recordedStays = nodeTimeline(job, fleet, known);
  const stays = terms.nodes?.(recordedStays, job) ?? recordedStays;
  const work = workOf(job, known);
  const { computeMs } = work;
  const account = (by: PollingQueue) => accountOf(replayPolling(stays, by, work, known), computeMs);
  const original = account(kelpie);
  const bound = account(ideal);
  const unsaved = { ...known, checkpointEveryMs: 1_000 };
  const continuous = accountOf(replayPolling(stays, ideal, { computeMs, saveMs: 0 }, unsaved), computeMs);
  const engine = terms.withOurs ? await replayOnEngine(stays, work, known, seed) : null;
  const broken: string[] = [];
  if (engine?.violation) broken.push(said(engine.violation));
  // A broken invariant ends the run in the middle: no account.
  const ours = engine && !engine.violation ? accountOf(engine.attempts, computeMs) : null;
  for (const [name, unexplainedMs] of [
    ["original", original.unexplainedMs],
    ["ours", ours?.unexplainedMs ?? 0],
    ["bound", bound.unexplainedMs],
  ] as const) {
    if (Math.abs(unexplainedMs) > roundingMs)
      broken.push(`${name}: ${(unexplainedMs / 1000).toFixed(1)} s of the wall time are nobody's`);
  }
  const reproduced = account(queue);
  return {
    job,
    queue,
    stays,
    computeMs,
    recorded: efficiency(job.computeHours, job.wallHours),
    reproduced: efficiency(computeMs, reproduced.wallMs),
    original,
    ours,
    bound,
    continuousWallMs: continuous.wallMs,
    engine,
    broken,
  };
}

export function workOf(job: TracedJob, known: Assumptions): Work {
  return { computeMs: job.computeHours * hour, saveMs: saveMs(job, known) };
}

export async function replayAll(jobs: TracedJob[], terms: Terms): Promise<JobReplay[]> {
  const replays: JobReplay[] = [];
  for (const [i, job] of jobs.entries()) replays.push(await replayJob(job, jobs, terms, i + 1));
  return replays;
}

/** Off by more than allowed, or broken: what a run exits non-zero for. */
export function complaints(replays: JobReplay[]): string[] {
  return replays.flatMap(({ job, recorded, reproduced, broken }) => {
    const name = `${job.source}, ${job.job}`;
    const off = Math.abs(reproduced - recorded);
    return [
      ...(off > tolerancePoints ? [`${name}: the reproduction is off by ${off.toFixed(2)} points`] : []),
      ...broken.map((what) => `${name}: ${what}`),
    ];
  });
}

function said({ invariant, said, events }: Violation): string {
  return [`${invariant}: ${said}`, ...events.map((event) => `  ${event}`)].join("\n");
}
