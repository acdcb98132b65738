/**
 * Outlives whoever started it, for one purpose: when that process is gone (SIGKILL, a crash, a closed terminal),
 * end the processes that it had started. Runs as a child with an IPC channel; the channel's end is the sign.
 */
import { killTree, sendSignal } from "./tree.ts";

export type GuardianMessage = { watch: number } | { forget: number };

const watched = new Set<number>();

process.on("message", (message: GuardianMessage) => {
  if ("watch" in message) watched.add(message.watch);
  else watched.delete(message.forget);
});

process.on("disconnect", () => {
  for (const pid of watched) {
    killTree(pid);
    // Its group may have survived it: each watched process leads one.
    sendSignal(-pid, "SIGKILL");
  }
  process.exit(0);
});
