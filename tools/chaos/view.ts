/** The live view: a row per node, with what it is at and what it suffers from. */
import type { Row } from "../screen/table.ts";
import type { JobProgress } from "../sum-progress.ts";
import type { ChaosJob } from "./judge/evidence.ts";
import type { LiveWire } from "./logs/live-wire.ts";
import type { Node } from "./node.ts";
import { settings } from "./settings.ts";

interface Work {
  job: ChaosJob;
  progress: JobProgress;
}

/** What each node is at, by its name. What a zombie does to a job that is over, or somebody else's, is no work. */
export function workByNode(
  jobs: readonly ChaosJob[],
  progress: ReadonlyMap<string, JobProgress>,
  { ended, holders }: Pick<LiveWire, "ended" | "holders">,
): Map<string, Work> {
  const work = new Map<string, Work>();
  for (const job of jobs) {
    const now = progress.get(job.id);
    if (now?.machine === undefined || now.done || ended.has(job.id)) continue;
    if (holders.get(job.id) === now.machine) work.set(now.machine, { job, progress: now });
  }
  return work;
}

/** Nodes in the middle of a job: there are checkpoints to lose and steps to go. */
export function worthwhileVictims(work: ReadonlyMap<string, Work>): Set<string> {
  const inTheMiddle = [...work].filter(
    ([, { job, progress }]) =>
      progress.step - progress.fromStep >= settings.stepsBefore &&
      job.n - progress.step >= settings.stepsAfter,
  );
  return new Set(inTheMiddle.map(([name]) => name));
}

export function rowsOf(nodes: readonly Node[], work: ReadonlyMap<string, Work>): Row[] {
  return nodes.map((node) => {
    const at = work.get(node.name);
    const status = [...node.ailments].join("+") || (at ? "running" : "idle");
    return {
      name: node.name,
      status,
      step: at?.progress.step ?? 0,
      n: at?.job.n ?? 0,
      attempt: 0,
      more: { job: at?.job.name ?? "" },
    };
  });
}
