import { readFileSync } from "node:fs";

/** The most that a process has ever had resident; undefined where it is gone or the system does not tell (not Linux). */
export function peakBytesOf(pid: number): number | undefined {
  try {
    const kib = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
    return kib === undefined ? undefined : Number(kib) * 1024;
  } catch {
    return undefined;
  }
}
