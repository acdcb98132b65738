import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";

/** [pid, parent's pid] of every process that can be seen. */
function listProcesses(): [number, number][] {
  if (!existsSync("/proc/self/stat")) {
    const table = execFileSync("ps", ["-A", "-o", "pid=,ppid="], { encoding: "utf8" });
    return table
      .trim()
      .split("\n")
      .map((line) => line.trim().split(/\s+/).map(Number) as [number, number]);
  }
  const found: [number, number][] = [];
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const stat = readStat(name);
    if (stat) found.push([Number(name), stat.parent]);
  }
  return found;
}

function readStat(pid: string): { state: string; parent: number } | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    // "pid (name) state parent …": the name may itself hold parentheses and spaces.
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return { state: fields[0] ?? "", parent: Number(fields[1]) };
  } catch {
    return null; // It ended between the listing and the look.
  }
}

/** Children, their children and so on; the process itself is not among them. */
export function descendantsOf(root: number): number[] {
  const processes = listProcesses();
  const found = [root];
  for (const pid of found) {
    for (const [child, parent] of processes) if (parent === pid && !found.includes(child)) found.push(child);
  }
  return found.slice(1);
}

/** False also for a zombie: it has ended, only nobody has asked for its exit code yet. */
export function isAlive(pid: number): boolean {
  if (!sendSignal(pid, 0)) return false;
  if (!existsSync("/proc/self/stat")) return true;
  const stat = readStat(String(pid));
  return stat !== null && stat.state !== "Z" && stat.state !== "X";
}

/** False when there is no such process (any more). A negative pid names a process group. */
export function sendSignal(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(pid, signal);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
    throw error;
  }
}

/**
 * Stops the process and everything below it, whatever process group they are in (an agent starts its command in a group
 * of its own). From the top down, so that nobody starts another child or notices a death while the list is made.
 * Returns what was stopped.
 */
export function freezeTree(root: number): number[] {
  const frozen: number[] = [];
  let level = [root];
  while (level.length > 0) {
    for (const pid of level) if (sendSignal(pid, "SIGSTOP")) frozen.push(pid);
    level = descendantsOf(root).filter((pid) => !frozen.includes(pid) && isAlive(pid));
  }
  return frozen;
}

/** A power cut: the process and everything below it are gone at once. Returns what was killed. */
export function killTree(root: number): number[] {
  const frozen = freezeTree(root);
  for (const pid of frozen) sendSignal(pid, "SIGKILL");
  return frozen;
}
