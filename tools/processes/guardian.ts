/**
 * Outlives whoever started it, for one purpose: when that process is gone (SIGKILL, a crash, a closed terminal),
 * end the processes that it had started and remove its temporary directories. Runs as a child with an IPC channel;
 * the channel's end is the sign.
 */
import { rm } from "node:fs/promises";
import { killTree, sendSignal } from "./tree.ts";

export type GuardianMessage =
  | { watch: number }
  | { forget: number }
  | { removeAtEnd: string }
  | { removed: string };

const watched = new Set<number>();
const directories = new Set<string>();

process.on("message", (message: GuardianMessage) => {
  if ("watch" in message) watched.add(message.watch);
  else if ("forget" in message) watched.delete(message.forget);
  else if ("removeAtEnd" in message) directories.add(message.removeAtEnd);
  else directories.delete(message.removed);
});

process.on("disconnect", async () => {
  for (const pid of watched) {
    killTree(pid);
    // Its group may have survived it: each watched process leads one.
    sendSignal(-pid, "SIGKILL");
  }
  // After the kills, so that nobody writes there any more. One that resists must not save the others.
  const options = { recursive: true, force: true, maxRetries: 5 };
  await Promise.allSettled([...directories].map((directory) => rm(directory, options)));
  process.exit(0);
});
