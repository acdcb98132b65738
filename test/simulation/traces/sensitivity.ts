/** How much of the result hangs on what was assumed: one assumption moved at a time, all jobs again. */
import { minute, second } from "../scenario.ts";
import { type Assumptions, assumptions } from "./assumptions.ts";
import { efficiency, type JobReplay, replayAll, type Terms } from "./replay.ts";
import { nodeTimeline, type Stay } from "./timeline.ts";
import type { TracedJob } from "./trace-file.ts";

export interface Variant {
  name: string;
  /** Where it differs from the assumptions. */
  known?: Partial<Assumptions>;
  nodes?: (jobs: TracedJob[], known: Assumptions) => Terms["nodes"];
  queue?: Terms["queue"];
  /** Whether it can differ for ours by more than it does for the original; each costs a second per job. */
  withOurs?: boolean;
}

export const variants: Variant[] = [
  { name: "nodes vanish early in what the gap allows (0.1)", known: { lostShare: 0.1 } },
  { name: "… late in it (0.9)", known: { lostShare: 0.9 }, withOurs: true },
  { name: "the application's checks take 20 s", known: { checksMs: 20 * second } },
  { name: "… take 80 s", known: { checksMs: 80 * second } },
  { name: "a worker takes 15 s to start", known: { workerStartMs: 15 * second } },
  { name: "checkpoints of 100 MB", known: { checkpointBytes: 100e6 }, withOurs: true },
  // The check can fail: an original that notices after ten minutes would not have made these recordings.
  {
    name: "the recording queue notices after 10 min",
    queue: (recording) => ({ ...recording, termMs: recording.termMs + 9 * minute }),
  },
  // What the reproduction is worth without the one thing that it reads off each gap.
  { name: "gaps as long as the other jobs' on average", nodes: gapsOfOthers },
  { name: "a node is always waiting", nodes: () => nodeWaits, withOurs: true },
  {
    name: "… and heartbeat_interval 10 (ours)",
    known: { heartbeatIntervalSeconds: 10 },
    nodes: () => nodeWaits,
    withOurs: true,
  },
];

export interface Moved {
  name: string;
  worstPoints: number;
  reproduced: number;
  original: number;
  ours: number | null;
  bound: number;
  /** The bound if every moment of work were saved at once. */
  continuous: number;
  /** Seconds that a worker that is there waits for the job: per node lost. */
  detection: { original: number; ours: number | null };
  broken: string[];
}

export async function move(jobs: TracedJob[], variant: Variant): Promise<Moved> {
  const known = { ...assumptions, ...variant.known };
  const replays = await replayAll(jobs, {
    known,
    nodes: variant.nodes?.(jobs, known),
    queue: variant.queue,
    withOurs: variant.withOurs ?? false,
  });
  return summary(variant.name, replays);
}

export function summary(name: string, replays: JobReplay[]): Moved {
  const mean = (of: (replay: JobReplay) => number) =>
    replays.reduce((sum, replay) => sum + of(replay), 0) / replays.length;
  const share = (replay: JobReplay, wallMs: number) => efficiency(replay.computeMs, wallMs);
  const haveOurs = replays.every(({ ours }) => ours !== null);
  return {
    name,
    worstPoints: Math.max(...replays.map(({ reproduced, recorded }) => Math.abs(reproduced - recorded))),
    reproduced: mean(({ reproduced }) => reproduced),
    original: mean((replay) => share(replay, replay.original.wallMs)),
    ours: haveOurs ? mean((replay) => share(replay, replay.ours?.wallMs ?? 0)) : null,
    bound: mean((replay) => share(replay, replay.bound.wallMs)),
    continuous: mean((replay) => share(replay, replay.continuousWallMs)),
    detection: {
      original: perNodeLost(replays, ({ original }) => original.ms.detection),
      ours: haveOurs ? perNodeLost(replays, ({ ours }) => ours?.ms.detection ?? 0) : null,
    },
    broken: replays.flatMap(({ broken }) => broken),
  };
}

function perNodeLost(replays: JobReplay[], of: (replay: JobReplay) => number): number {
  const lost = replays.reduce((sum, { stays }) => sum + stays.length - 1, 0);
  return replays.reduce((sum, replay) => sum + of(replay), 0) / 1_000 / Math.max(1, lost);
}

/** The stays' lengths as recorded, every gap the mean of the same recording's other jobs: nothing read off the job's own. */
function gapsOfOthers(jobs: TracedJob[], known: Assumptions): Terms["nodes"] {
  return (stays, job) => {
    const gaps = jobs
      .filter((other) => other !== job && other.source === job.source)
      .flatMap((other) => gapsOf(nodeTimeline(other, jobs, known)));
    if (gaps.length === 0) return stays;
    const meanMs = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
    let shiftMs = 0;
    return stays.map((stay, i) => {
      const previous = stays[i - 1];
      if (previous) shiftMs += meanMs - (stay.fromMs - previous.toMs);
      return { ...shifted(stay, shiftMs), warm: false };
    });
  };
}

function gapsOf(stays: Stay[]): number[] {
  return stays.slice(1).map((stay, i) => stay.fromMs - (stays[i]?.toMs ?? 0));
}

/** A spare: there since the node before it came, its checks done. */
function nodeWaits(stays: Stay[]): Stay[] {
  let shiftMs = 0;
  return stays.map((stay, i) => {
    const previous = stays[i - 1];
    if (!previous) return stay;
    // It lives as long as the recorded one did, from the moment that it is needed.
    shiftMs += previous.toMs - stay.fromMs;
    return { ...shifted(stay, shiftMs), warm: true };
  });
}

function shifted(stay: Stay, byMs: number): Stay {
  return {
    ...stay,
    fromMs: stay.fromMs + byMs,
    toMs: stay.toMs + byMs,
    queueFaultsMs: stay.queueFaultsMs.map((atMs) => atMs + byMs),
  };
}
