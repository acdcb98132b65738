import { type ChildProcess, fork } from "node:child_process";
import { join } from "node:path";
import type { GuardianMessage } from "./guardian.ts";

let guardian: ChildProcess | undefined;

/** Tells this process's guardian, which is started with the first message. */
export function tellGuardian(message: GuardianMessage): void {
  if (!guardian?.connected) {
    // In a session of its own: a Ctrl-C in the terminal must not reach it. No execArgv: a test runner's loaders are not for it.
    guardian = fork(join(import.meta.dirname, "guardian.ts"), {
      detached: true,
      execArgv: [],
      stdio: "ignore",
      env: { PATH: process.env.PATH },
    });
    guardian.unref();
    guardian.channel?.unref();
  }
  guardian.send(message);
}
