/** The processes of one command: everything it started and did not set free. */
import { readdirSync, readFileSync } from "node:fs";

/** Sends a signal to every process of the group; true when there was one. */
export function signalGroup(groupId: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(-groupId, signal);
  } catch {
    return false; // ESRCH: nobody is left
  }
}

/** Whether a process of the group still runs. Zombies that nobody reaps (the agent may be PID 1) do not count. */
export function isGroupAlive(groupId: number): boolean {
  try {
    process.kill(-groupId, 0);
  } catch {
    return false; // ESRCH: not even a zombie
  }
  const processes = listProcesses();
  return processes === undefined || processes.some(({ group, state }) => group === groupId && state !== "Z");
}

function listProcesses(): { state: string; group: number }[] | undefined {
  let ids: string[];
  try {
    ids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  } catch {
    return undefined; // no /proc here
  }
  return ids.flatMap((id) => {
    try {
      const stat = readFileSync(`/proc/${id}/stat`, "utf8");
      // The command's name stands in parentheses and may contain anything; fields are counted from its end.
      const [state = "", , group] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      return [{ state, group: Number(group) }];
    } catch {
      return []; // gone between the two reads
    }
  });
}
