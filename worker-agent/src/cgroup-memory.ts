/** What the kernel tells of the container's memory: its bound, and how often somebody was killed for want of it. cgroup v2 and v1. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

export interface CgroupMemory {
  /** Processes of the container killed for want of memory, ever; undefined where the kernel does not tell. */
  oomKills(): number | undefined;
  /** Bytes that the container may use, and the file that says so; undefined: not bounded, or not told. */
  limit(): { bytes: number; file: string } | undefined;
}

/** One place where a container's counters may lie. */
interface Place {
  directory: string;
  events: string;
  limitFile: string;
}

/** v1 writes a bound that is none as the largest number of pages. */
const unboundedBytes = 2 ** 62;

/** Reads below `root`, at the place that `self` names. Tests hand in their own. */
export function createCgroupMemory(root = "/sys/fs/cgroup", self = "/proc/self/cgroup"): CgroupMemory {
  const places = placesIn(root, read(self) ?? "");
  return {
    oomKills() {
      for (const { directory, events } of places) {
        const count = /^oom_kill (\d+)$/m.exec(read(join(directory, events)) ?? "")?.[1];
        if (count !== undefined) return Number(count);
      }
      return undefined;
    },
    limit() {
      for (const { directory, limitFile } of places) {
        const bytes = Number.parseInt(read(join(directory, limitFile)) ?? "", 10);
        if (Number.isFinite(bytes) && bytes < unboundedBytes) return { bytes, file: limitFile };
      }
      return undefined;
    },
  };
}

/** Most exact first. With a namespace of its own, a container sees its group as the root, whatever path it is told. */
function placesIn(root: string, self: string): Place[] {
  const v2 = (directory: string) => ({ directory, events: "memory.events", limitFile: "memory.max" });
  const v1 = (directory: string) => ({
    directory,
    events: "memory.oom_control",
    limitFile: "memory.limit_in_bytes",
  });
  const path2 = /^0::(.*)$/m.exec(self)?.[1] ?? "/";
  const path1 = /^\d+:(?:[^:]*,)?memory(?:,[^:]*)?:(.*)$/m.exec(self)?.[1];
  const places = [v2(join(root, path2)), v2(root)];
  if (path1 !== undefined) places.push(v1(join(root, "memory", path1)), v1(join(root, "memory")));
  return places;
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined; // no such counter here
  }
}
