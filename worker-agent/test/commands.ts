/** Commands of test jobs: small Node programs, since Node is there wherever the tests run. */
import { existsSync, watch } from "node:fs";
import { dirname } from "node:path";

/** For `expect.poll` where there is no event to await: far longer than it takes, even on a busy machine. */
export const eventually = { timeout: 20_000, interval: 20 };

/** The command and arguments that run this program text; `fs` and `path` are at hand. */
export function program(text: string): { command: string; arguments: string[] } {
  return {
    command: process.execPath,
    arguments: ["-e", `const fs = require("fs"), path = require("path");\n${text}`],
  };
}

/** The command and arguments that run this shell script. */
export function shell(script: string): { command: string; arguments: string[] } {
  return { command: "/bin/sh", arguments: ["-c", script] };
}

/** Program text that runs until the file exists. */
export function waitForFile(path: string): string {
  return `const waiting = setInterval(() => { if (fs.existsSync(${JSON.stringify(path)})) clearInterval(waiting); }, 20);`;
}

/** Resolves once the file exists. Its directory must. */
export async function fileAppears(path: string): Promise<void> {
  const watcher = watch(dirname(path));
  try {
    await new Promise<void>((resolve) => {
      const look = () => existsSync(path) && resolve();
      watcher.on("change", look);
      look();
    });
  } finally {
    watcher.close();
  }
}
