/** The live view: a row per instance, the queue, and replicas over time. */
import type { InstanceState } from "../../test/salad/controls.ts";
import type { Hardware } from "../../test/salad/hardware.ts";
import type { Instance } from "../../test/salad/instances.ts";
import type { Row } from "../screen.ts";
import type { JobProgress } from "../sum-progress.ts";
import { nameOf } from "./agents.ts";
import { type Container, hardwareInWords } from "./container.ts";

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
    return {
      name: nameOf(instance),
      status: state === "running" && !at ? "idle" : state,
      step: at?.progress.step ?? 0,
      n: at?.job.n ?? 0,
      attempt: at?.progress.runs ?? 0,
      machine: [
        hardwareInWords(hardware),
        ...(at ? [at.job.name, `deletion cost ${instance.deletionCost}`] : []),
      ].join(", "),
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

const levels = "▁▂▃▄▅▆▇█";
/** Values that `sparkline` shows. */
export const shown = 60;

/** The newest at the right; `most`: full height. */
export function sparkline(values: readonly number[], most: number): string {
  return values
    .slice(-shown)
    .map((value) => (value === 0 ? "·" : levels[Math.min(7, Math.ceil((8 * value) / Math.max(1, most)) - 1)]))
    .join("");
}
