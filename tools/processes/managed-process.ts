import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { tellGuardian } from "./tell-guardian.ts";
import { killTree, sendSignal } from "./tree.ts";

/** Enough to show why something failed; a long demo must not hold all of its logs in memory. */
const keptLines = 400;

export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

export interface ManagedProcess {
  readonly pid: number;
  /** Never rejects. */
  readonly exited: Promise<Exit>;
  isRunning(): boolean;
  /** To the process alone, not to its children: as a container's runtime does. */
  signal(signal: NodeJS.Signals): void;
  /** Ends the process and all of its descendants at once, as a power cut does. */
  kill(): Promise<Exit>;
  /** SIGTERM, then `kill` for whatever is left after the grace period. */
  stop(graceMs?: number): Promise<Exit>;
  /** The last lines of stdout and stderr. */
  tail(lines?: number): string;
}

const runningPids = new Set<number>();

/** Ends all that `startProcess` has started, at once and without waiting: for whoever is about to leave in a hurry. */
export function killAllProcesses(): void {
  for (const pid of runningPids) {
    killTree(pid);
    sendSignal(-pid, "SIGKILL");
  }
}

/** Starts a process as leader of its own group; it and its children end when this process does, however that ends. */
export function startProcess(
  command: string,
  commandArguments: string[],
  options: { cwd: string; env: NodeJS.ProcessEnv; onLine?: (line: string) => void },
): ManagedProcess {
  const lines: string[] = [];
  const child = spawn(command, commandArguments, {
    cwd: options.cwd,
    env: options.env,
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const keep = (line: string) => {
    lines.push(line);
    if (lines.length > keptLines) lines.shift();
    options.onLine?.(line);
  };
  readLines(child.stdout, keep);
  readLines(child.stderr, keep);

  let running = true;
  const exited = new Promise<Exit>((resolve) => {
    child.once("error", (error) => {
      keep(String(error));
      running = false;
      resolve({ code: 127, signal: null });
    });
    child.once("exit", (code, signal) => {
      running = false;
      if (child.pid) {
        runningPids.delete(child.pid);
        tellGuardian({ forget: child.pid });
      }
      resolve({ code, signal });
    });
  });
  const pid = child.pid ?? 0;
  if (pid) {
    runningPids.add(pid);
    tellGuardian({ watch: pid });
  }

  async function kill(): Promise<Exit> {
    if (pid) {
      if (running) killTree(pid);
      sendSignal(-pid, "SIGKILL");
    }
    return exited;
  }

  return {
    pid,
    exited,
    isRunning: () => running,
    signal(signal) {
      if (running && pid) sendSignal(pid, signal);
    },
    kill,
    async stop(graceMs = 5000) {
      this.signal("SIGTERM");
      const timer = setTimeout(kill, graceMs);
      await exited;
      clearTimeout(timer);
      return kill();
    },
    tail: (count = 40) => lines.slice(-count).join("\n"),
  };
}

function readLines(stream: Readable, keep: (line: string) => void): void {
  createInterface({ input: stream }).on("line", keep);
}
