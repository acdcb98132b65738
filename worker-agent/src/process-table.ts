/** The processes of this machine or container, as /proc tells them. */
import { readdirSync, readFileSync } from "node:fs";

export interface Process {
  pid: number;
  parent: number;
  group: number;
  session: number;
  /** In ticks since the machine started: with the pid it names one process for good, since pids are used again. */
  start: number;
  /** Dead and not yet reaped by its parent. */
  zombie: boolean;
}

/** All processes, or undefined where there is no /proc. Not one moment's picture: some may have come or gone meanwhile. */
export function readProcesses(): Process[] | undefined {
  let names: string[];
  try {
    names = readdirSync("/proc");
  } catch {
    return undefined;
  }
  const pids = names.filter((name) => /^\d+$/.test(name)).map(Number);
  // Mounted with hidepid it shows less, and another system's shows nothing; ourselves it must show.
  if (!pids.includes(process.pid)) return undefined;
  return pids.flatMap((pid) => readProcess(pid) ?? []);
}

/** Undefined: it is gone. */
export function readProcess(pid: number): Process | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  } catch {
    return undefined;
  }
  // The name in parentheses may hold anything; the state follows it, and the start is the 22nd field.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [state, parent, group, session] = fields;
  return {
    pid,
    parent: Number(parent),
    group: Number(group),
    session: Number(session),
    start: Number(fields[19]),
    zombie: state === "Z" || state === "X",
  };
}

/** Whether the process was started with this text in its environment. What it has done to its variables since does not count. */
export function isStartedWith(pid: number, text: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/environ`, "latin1").includes(text);
  } catch {
    return false; // gone, or another user's
  }
}

/** Names this run of the machine; undefined where it cannot be told. */
export function readBootId(): string | undefined {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
  } catch {
    return undefined;
  }
}
