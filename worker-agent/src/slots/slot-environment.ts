/** What each slot's commands are given of their own: directories for jobs with the six older fields, and a share of the GPUs. */
import { join } from "node:path";
import type { LegacyDirectories } from "../config.ts";

export interface Slot {
  /** 0 for the first. */
  number: number;
  directories: LegacyDirectories;
  /** For `CUDA_VISIBLE_DEVICES`; undefined: commands see whatever the container sees. */
  gpus?: string;
}

/**
 * The slots of an agent. One slot is the agent of old: the directories as configured, all GPUs. Several have
 * `<directory>/slot-N` each, and the node's GPUs are divided among them as evenly as they can be, if there is one for each.
 */
export function slotsOf(count: number, directories: LegacyDirectories, gpuCount: number): Slot[] {
  return Array.from({ length: count }, (_, number) =>
    count === 1
      ? { number, directories }
      : { number, directories: ownDirectories(directories, number), gpus: gpusOf(number, count, gpuCount) },
  );
}

/** Who sees which GPUs, for the log; undefined: everybody sees what the container sees. */
export function sharesOf(slots: Slot[]): string | undefined {
  const shares = slots.flatMap(({ number, gpus }) => (gpus === undefined ? [] : [`slot ${number}: ${gpus}`]));
  return shares.length === 0 ? undefined : shares.join("; ");
}

function ownDirectories({ input, output, checkpoint }: LegacyDirectories, slot: number): LegacyDirectories {
  const own = (directory: string) => join(directory, `slot-${slot}`);
  return { input: own(input), output: own(output), checkpoint: own(checkpoint) };
}

/** By index, as launch scripts do, since not every framework takes a GPU's UUID. All processes of a node number them alike. */
function gpusOf(slot: number, slots: number, gpuCount: number): string | undefined {
  if (gpuCount < slots) return undefined;
  const first = Math.ceil((slot * gpuCount) / slots);
  const end = Math.ceil(((slot + 1) * gpuCount) / slots);
  return Array.from({ length: end - first }, (_, index) => first + index).join(",");
}
