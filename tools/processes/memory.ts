/** Memory of a process. Undefined where it is gone or the system does not tell (not Linux). */
import { readFileSync } from "node:fs";

/** Resident now. */
export const residentBytesOf = (pid: number) => bytesOf(pid, "VmRSS");

/** The most that it has ever had resident. */
export const peakBytesOf = (pid: number) => bytesOf(pid, "VmHWM");

function bytesOf(pid: number, field: "VmRSS" | "VmHWM"): number | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    const kib = new RegExp(`^${field}:\\s+(\\d+) kB$`, "m").exec(status)?.[1];
    return kib === undefined ? undefined : Number(kib) * 1024;
  } catch {
    return undefined;
  }
}
