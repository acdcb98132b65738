/** A whole agent in this process, against a fake API over HTTP and fake storage, with clocks a test can move. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { runAgent } from "../src/agent.ts";
import { createApiClient } from "../src/api/client.ts";
import { type CgroupMemory, createCgroupMemory } from "../src/cgroup-memory.ts";
import { createClock } from "../src/clock.ts";
import { readConfig, timingsOf } from "../src/config.ts";
import { createImds } from "../src/imds/imds.ts";
import { createCredentials } from "../src/imds/node-credentials.ts";
import { NodeToken, rememberingIn } from "../src/imds/node-token.ts";
import { createLog } from "../src/log.ts";
import type { Outlets } from "../src/logs/attempt-logs.ts";
import type { Node } from "../src/node/read-node.ts";
import { signalGroup } from "../src/process-group.ts";
import { Shutdown } from "../src/shutdown.ts";
import type { Snapshots } from "../src/snapshot/ports.ts";
import type { Timings } from "../src/timings.ts";
import { ApiServer } from "./api-server.ts";
import { noSnapshots } from "./fake-snapshots.ts";
import { FakeTransfers } from "./fake-transfers.ts";
import { SocketServer } from "./socket-server.ts";

/** Short where a test would only wait; long where a noisy machine could make the agent give up. */
const quickTimings: Partial<Timings> = {
  retryFirstMs: 10,
  claimRetryCapMs: 50,
  reportRetryCapMs: 50,
  trustTickMs: 20,
  faultPauseFirstMs: 10,
  faultPauseCapMs: 50,
  outputRoundPauseMs: 10,
  socketReconnectSpreadMs: 20,
  socketRetryFirstMs: 10,
  socketRetryCapMs: 50,
  imdsRetryMs: 10,
  imdsLookFirstMs: 10,
};

export interface LogLine {
  severity: string;
  message: string;
  [field: string]: unknown;
}

/** A test that failed may leave commands that ignore SIGTERM: they must not outlive the test. */
function killCommands(lines: LogLine[]): void {
  const running = new Map<string, unknown>();
  for (const { message, job_id, attempt, pid } of lines) {
    if (message === "command started") running.set(`${job_id} ${attempt}`, pid);
    if (message === "command ended") running.delete(`${job_id} ${attempt}`);
  }
  for (const pid of running.values()) signalGroup(Number(pid), "SIGKILL");
}

export async function startAgent(
  options: {
    timings?: Partial<Timings>;
    environment?: NodeJS.ProcessEnv;
    snapshots?: Snapshots;
    node?: Node;
    outlets?: Outlets;
    /** Of the container that the agent is in. Default: this machine's. */
    memory?: CgroupMemory;
    /** Present: the API offers a socket, and is like this. */
    sockets?: Partial<Pick<SocketServer, "refusal" | "deaf" | "greeting">>;
  } = {},
) {
  const workdir = await mkdtemp(join(tmpdir(), "kelpie-agent-"));
  const server = await ApiServer.start();
  const sockets = options.sockets && Object.assign(new SocketServer(server.http), options.sockets);
  const transfers = new FakeTransfers();
  const shutdown = new Shutdown();
  const lines: LogLine[] = [];
  const watchers = new Set<() => void>();
  const secrets = new Set<string>();
  const log = createLog({
    level: "debug",
    secrets,
    write(line) {
      lines.push(JSON.parse(line));
      for (const watcher of watchers) watcher();
      watchers.clear();
    },
  });
  let sleptMs = 0;
  const clock = createClock({
    monotonicMs: () => performance.now(),
    bootMs: () => performance.now() + sleptMs,
    wallMs: () => 0,
  });
  const environment = {
    KELPIE_API_URL: server.url,
    KELPIE_API_KEY: "key-of-the-tests",
    SALAD_MACHINE_ID: "machine-1",
    SALAD_CONTAINER_GROUP_ID: "group",
    KELPIE_POLL_SECONDS: "0.1",
    // No metadata service here; a closed port refuses at once where the real address would hang.
    KELPIE_IMDS_URL: "http://127.0.0.1:9",
    INPUT_DIR: "input",
    OUTPUT_DIR: "output",
    CHECKPOINT_DIR: "checkpoint",
    ...options.environment,
  };
  const config = readConfig(environment, workdir);
  const agentTimings = { ...timingsOf(config), ...quickTimings, ...options.timings };
  const imds = createImds({ url: config.imds.url, timings: agentTimings });
  const token = new NodeToken({ imds, clock, onToken: rememberingIn(secrets) });
  const running = runAgent({
    config,
    imds,
    client: createApiClient(config.apiUrl, createCredentials(config, token)),
    transfers,
    snapshots: options.snapshots ?? noSnapshots,
    clock,
    memory: options.memory ?? createCgroupMemory(),
    log,
    shutdown,
    timings: agentTimings,
    workdir,
    node: options.node ?? { facts: {}, gpuCount: 0 },
    outlets: options.outlets,
  });
  onTestFinished(async () => {
    shutdown.request();
    killCommands(lines);
    await running;
    sockets?.stop();
    server.stop();
    await rm(workdir, { recursive: true, force: true });
  });

  return {
    workdir,
    server,
    get sockets(): SocketServer {
      if (!sockets) throw new Error("started without sockets");
      return sockets;
    },
    transfers,
    shutdown,
    running,
    lines,
    /** The machine slept: time has passed that the process did not see. */
    sleep(durationMs: number) {
      sleptMs += durationMs;
    },
    /** The first line, past or future, with this text in its message. */
    async logged(text: string): Promise<LogLine> {
      for (;;) {
        const line = lines.find(({ message }) => message.includes(text));
        if (line) return line;
        await new Promise<void>((resolve) => watchers.add(resolve));
      }
    },
    path: (name: string) => join(workdir, name),
    read: (name: string) => readFile(join(workdir, name), "utf8"),
    async state() {
      return JSON.parse(await readFile(config.stateFile, "utf8"));
    },
  };
}
