/** Signals to process groups. */
import { readProcesses } from "./process-table.ts";

/** Sends a signal to every process of the group (0: none, only asks); true when there was one, be it a zombie. */
export function signalGroup(groupId: number, signal: NodeJS.Signals | 0): boolean {
  // To the kernel, 0 is our own group and 1 is everybody.
  if (!(groupId > 1)) return false;
  try {
    return process.kill(-groupId, signal);
  } catch {
    return false; // ESRCH: nobody is left
  }
}

/** Whether a process of the group still runs. Zombies that nobody reaps do not count. */
export function isGroupAlive(groupId: number): boolean {
  if (!signalGroup(groupId, 0)) return false;
  const processes = readProcesses();
  return processes === undefined || processes.some(({ group, zombie }) => group === groupId && !zombie);
}
