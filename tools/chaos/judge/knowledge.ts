/** What the storage has acknowledged is not forgotten: every run begins at or after the newest checkpoint before its claim. */
import { checkpointPrefixOf } from "../../sum-job.ts";
import type { SumEvent } from "../../sum-log.ts";
import type { StorageRequest } from "../logs/storage-log.ts";
import type { ChaosJob, Evidence } from "./evidence.ts";
import type { Grants } from "./grants.ts";
import { answeredWell } from "./wire.ts";

interface Checkpoint {
  key: string;
  step: number;
  answeredMs: number;
}

/** What was lost, in words; empty: nothing. */
export function findLostKnowledge(evidence: Evidence, grants: Grants): string[] {
  const lost: string[] = [];
  const saved = Map.groupBy(
    evidence.storage.filter((request) => answeredWell(request) && request.key.startsWith("checkpoints/")),
    ({ key }) => key.slice(0, key.lastIndexOf("/") + 1),
  );
  const runs = Map.groupBy(evidence.log.events.filter(beginsRun), ({ job }) => job);
  for (const job of evidence.jobs) {
    const requests = saved.get(checkpointPrefixOf(job.name)) ?? [];
    const checkpoints = requests.filter(({ method }) => method === "PUT").flatMap(checkpointOf);
    for (const run of runs.get(job.id) ?? []) lost.push(...judgeRun(job, run, checkpoints, grants));
    for (const { key, node } of requests.filter(({ method }) => method === "DELETE")) {
      lost.push(`${key} was deleted by ${node}`);
    }
    for (const key of new Set(checkpoints.map((checkpoint) => checkpoint.key))) {
      if (!evidence.checkpoints.has(key)) lost.push(`${key} was acknowledged and is not there any more`);
    }
  }
  return lost;
}

function judgeRun(job: ChaosJob, run: SumEvent, checkpoints: Checkpoint[], grants: Grants): string[] {
  const grant = grants.actingAt(job.id, run.machine, run.time);
  if (!grant) return [`${job.name}: ${run.machine} ran it without having claimed it`];
  const newest = Math.max(
    0,
    ...checkpoints.filter(({ answeredMs }) => answeredMs <= grant.grantedMs).map(({ step }) => step),
  );
  if (run.step >= newest) return [];
  return [`${job.name}: ${run.machine} began at step ${run.step}, though step ${newest} had been saved`];
}

const beginsRun = ({ event }: SumEvent) => event === "start" || event === "resume";

function checkpointOf({ key, answeredMs }: StorageRequest): Checkpoint[] {
  const step = /step-(\d+)\.json$/.exec(key)?.[1];
  return step === undefined || answeredMs === undefined ? [] : [{ key, step: Number(step), answeredMs }];
}
