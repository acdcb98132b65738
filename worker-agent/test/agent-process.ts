/** The agent as a process of its own. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import { ApiServer } from "./api-server.ts";

export const main = fileURLToPath(new URL("../src/main.ts", import.meta.url));

export interface LaunchOptions {
  environment: NodeJS.ProcessEnv;
  args?: string[];
  /** Default: a directory of its own, removed after the test. */
  workdir?: string;
  /** What starts it: a command that takes the agent's own as its last arguments. */
  through?: string[];
}

export function launch({
  environment,
  args = [],
  workdir = temporaryDirectory(),
  through = [],
}: LaunchOptions) {
  const [command = "", ...rest] = [...through, process.execPath, main, ...args];
  const child: ChildProcess = spawn(command, rest, {
    cwd: workdir,
    env: {
      PATH: process.env.PATH,
      INPUT_DIR: "in",
      OUTPUT_DIR: "out",
      CHECKPOINT_DIR: "check",
      ...environment,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  child.stdout?.on("data", (chunk) => (output += chunk));
  child.stderr?.on("data", (chunk) => (output += chunk));
  const gone = once(child, "exit");
  /** All of its output has come too, which whoever holds the pipe besides it can delay. */
  const exited = once(child, "close").then(([code]) => code as number | null);
  onTestFinished(async () => {
    child.kill("SIGKILL");
    await gone;
  });
  return { child, gone, exited, output: () => output, workdir, path: (name: string) => join(workdir, name) };
}

export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "kelpie-main-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

export async function startServer(): Promise<ApiServer> {
  const server = await ApiServer.start();
  onTestFinished(() => server.stop());
  return server;
}

/** An agent of this server. */
export function launchAgentOf(server: ApiServer, options: Partial<LaunchOptions> = {}) {
  const environment = {
    KELPIE_API_URL: server.url,
    // Nothing listens there: the real address may be another cloud's.
    KELPIE_IMDS_URL: "http://127.0.0.1:9",
    KELPIE_API_KEY: "a-key-of-the-tests",
    SALAD_MACHINE_ID: "machine-1",
    SALAD_INSTANCE_ID: "instance-1",
    SALAD_CONTAINER_GROUP_ID: "group",
    ...options.environment,
  };
  return launch({ ...options, environment });
}
