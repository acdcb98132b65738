/** The live view: a row per instance, the queue, and replicas over time. */

import type { GroupStatus } from "../../src/contract/index.ts";
import type { Cloud } from "../../test/salad/cloud.ts";
import type { InstanceState } from "../../test/salad/controls.ts";
import { countsOf, statusOf } from "../../test/salad/group-calls.ts";
import type { Group } from "../../test/salad/groups.ts";
import type { Hardware } from "../../test/salad/hardware.ts";
import type { Instance } from "../../test/salad/instances.ts";
import type { Row } from "../screen/table.ts";
import type { JobProgress } from "../sum-progress.ts";
import { nameOf } from "./agents.ts";
import { type Container, kbpsOf } from "./container.ts";

export interface LabJob {
  id: string;
  name: string;
  n: number;
}

export function rowsOf(
  instances: readonly { instance: Instance; state: InstanceState; hardware: Hardware }[],
  containers: readonly Container[],
  jobs: readonly LabJob[],
  progress: ReadonlyMap<string, JobProgress>,
): Row[] {
  const work = new Map<string, { job: LabJob; progress: JobProgress }>();
  for (const job of jobs) {
    const now = progress.get(job.id);
    if (now?.machine !== undefined && !now.done) work.set(now.machine, { job, progress: now });
  }
  const row = (instance: Instance, state: string, hardware: Hardware): Row => {
    const at = work.get(instance.machineId);
    const { up, down } = kbpsOf(hardware.line);
    return {
      name: nameOf(instance),
      status: state === "running" && !at ? "idle" : state,
      step: at?.progress.step ?? 0,
      n: at?.job.n ?? 0,
      attempt: at?.progress.runs ?? 0,
      more: {
        job: at?.job.name ?? "",
        cost: instance.announced ? String(instance.deletionCost) : "",
        speed: hardware.speed.toFixed(2),
        "kbit/s": `${up}↑${down}↓`,
      },
    };
  };
  return [
    ...instances.map(({ instance, state, hardware }) => row(instance, state, hardware)),
    // SaladCloud does not know of these any more.
    ...containers
      .filter(({ state }) => state === "zombie")
      .map(({ instance, hardware }) => row(instance, "zombie", hardware)),
  ];
}

/** Those that are asked for at this moment. */
export const replicasOf = ({ stopped, replicas }: Group) => (stopped ? 0 : replicas);

/** `queue`: in words. */
export function summaryOf(cloud: Cloud, group: Group, queue: string): string {
  const { running } = countsOf(cloud, group);
  return `${statusOf(cloud, group)}, replicas ${replicasOf(group)}, ${running} running; jobs: ${queue}`;
}

/** `there`: instances that SaladCloud knows. A lease outlives a node that vanished until its term is over, and a zombie renews it. */
export function queueInWords(
  { jobs, agents }: Pick<GroupStatus, "jobs" | "agents">,
  there: ReadonlySet<string>,
): string {
  const ofLost = agents
    .filter(({ instance_id }) => instance_id !== null && !there.has(instance_id))
    .reduce((sum, agent) => sum + agent.jobs.length, 0);
  const leased = `${jobs.running} leased${ofLost > 0 ? ` (${ofLost} by nodes that are gone)` : ""}`;
  return `${jobs.pending} pending, ${leased}, ${jobs.completed} done`;
}

const levels = "▁▂▃▄▅▆▇█";
/** Values that are worth keeping: no terminal is wider. */
export const keptSamples = 500;

/** The newest at the right; `most`: full height; `width`: of them. */
export function sparkline(values: readonly number[], most: number, width: number): string {
  if (width <= 0) return "";
  return values
    .slice(-width)
    .map((value) => (value === 0 ? "·" : levels[Math.min(7, Math.ceil((8 * value) / Math.max(1, most)) - 1)]))
    .join("");
}

/** Replicas over time, as far back as there is room for. */
export function chartOf(replicas: readonly number[], most: number): (width: number) => string {
  const title = "replicas ";
  return (width) => title + sparkline(replicas, most, width - title.length);
}
