/** The agent as a program: configuration, signals, exit code. Its exit code never speaks of a job. */
import { runAgent } from "./agent.ts";
import { createApiClient } from "./api/client.ts";
import { help, readArguments } from "./arguments.ts";
import { createCgroupMemory } from "./cgroup-memory.ts";
import { type CheckOptions, check } from "./check/check.ts";
import { createClock } from "./clock.ts";
import { type Config, ConfigError, readConfig, timingsOf } from "./config.ts";
import type { EarlySignals } from "./early-signals.ts";
import { createImds } from "./imds/imds.ts";
import { createCredentials } from "./imds/node-credentials.ts";
import { NodeToken, rememberingIn } from "./imds/node-token.ts";
import { createLog, reasonOf } from "./log.ts";
import { readNode } from "./node/read-node.ts";
import { unlessAborted } from "./pause.ts";
import { Shutdown } from "./shutdown.ts";
import { createSnapshots } from "./snapshot/snapshots.ts";
import { timings } from "./timings.ts";
import { createTransfers } from "./transfer/transfers.ts";
import { version } from "./version.ts";

/** As in sysexits.h: what a person must mend before a restart can help. */
const exitConfig = 78;

/** As in sysexits.h: called in a way that makes no sense. */
const exitUsage = 64;

/** Runs the program to its end. */
export async function run(args: string[], signals: EarlySignals): Promise<void> {
  try {
    process.exitCode = await main(args, signals);
  } catch (error) {
    createLog({ level: "error" }).error("the agent ended on an error of its own", {
      reason: reasonOf(error),
      stack: error instanceof Error ? error.stack : undefined,
    });
    // SaladCloud would block this node for a non-zero exit; a restart may well go better.
    process.exit(0);
  }
}

async function main(args: string[], signals: EarlySignals): Promise<number> {
  // Logs that nobody reads any more must not end a job.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => undefined);
  const asked = readArguments(args);
  switch (asked.what) {
    case "agent":
      return start(signals);
    case "check":
      return runCheck(asked.options, signals);
    case "version":
      process.stdout.write(`${version}\n`);
      return 0;
    case "help":
      process.stdout.write(help);
      return 0;
    case "unknown":
      process.stderr.write(`kelpie: ${asked.problem}\n\n${help}`);
      return exitUsage;
  }
}

async function runCheck(options: CheckOptions, signals: EarlySignals): Promise<number> {
  // Whoever asks waits for the answer, or does not: 128 + the signal's number.
  signals.listen((signal) => process.exit(signal === "SIGINT" ? 130 : 143));
  const write = (line: string) => void process.stdout.write(`${line}\n`);
  // A check that breaks down has not found that all is well.
  const exitCode = await check(options, process.env, process.cwd(), write).catch((error) => {
    write(`failed  the check itself ${reasonOf(error)}`);
    return 1;
  });
  // Idle connections would keep the process for a few seconds.
  return process.exit(exitCode);
}

async function start(signals: EarlySignals): Promise<number> {
  const workdir = process.cwd();
  try {
    await work(readConfig(process.env, workdir), workdir, signals);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    createLog({ level: "info" }).error(error.message);
    return exitConfig;
  }
  await outputTaken();
  // Idle connections would keep the process for a few seconds.
  return process.exit(0);
}

/**
 * What commands have written waits in this process for the container's log to take it (logs/pass-through.ts), and would be lost with it. A
 * log that takes nothing any more is not waited for for long.
 */
async function outputTaken(): Promise<void> {
  const taken = [process.stdout, process.stderr].map(
    (stream) =>
      new Promise<void>((resolve) => (stream.writable ? stream.write("", () => resolve()) : resolve())),
  );
  await unlessAborted(Promise.all(taken), AbortSignal.timeout(timings.outputTakenMs));
}

async function work(config: Config, workdir: string, signals: EarlySignals): Promise<void> {
  const secrets = new Set(config.secrets);
  const log = createLog({ level: config.logLevel, secrets });
  const shutdown = new Shutdown();
  const bounds = timingsOf(config);
  signals.listen((signal) => {
    log.info(shutdown.stopping.aborted ? "told again to stop: hurrying" : "told to stop", { signal });
    shutdown.request();
  });
  // Whatever hangs, the agent keeps its word to end in bounded time.
  const { shutdownUploadMs, shutdownReportMs, shutdownHurriedReportMs } = bounds;
  const slackMs = 2_000;
  const bound = shutdown.bound(
    () => shutdown.longestGraceMs + 2 * shutdownUploadMs + 2 * shutdownReportMs + slackMs,
    shutdownHurriedReportMs + slackMs,
  );
  bound.signal.addEventListener("abort", () => {
    log.warn("stopping took too long, leaving");
    process.exit(0);
  });
  // An error that nothing awaited leaves the agent in doubt: let it finish what it can and be started anew.
  process.on("uncaughtException", (error) => {
    log.error("uncaught error, stopping", { reason: reasonOf(error), stack: error.stack });
    if (!shutdown.stopping.aborted) shutdown.request();
  });

  log.info("agent started", { version, api: new URL(config.apiUrl).origin, ...config.identity });
  for (const doubt of config.doubts) log.warn(`doubtful configuration: ${doubt}`);
  const clock = createClock();
  const imds = createImds({ url: config.imds.url, timings });
  const token = new NodeToken({ imds, clock, onToken: rememberingIn(secrets) });
  const client = createApiClient(config.apiUrl, createCredentials(config, token));
  const node = await readNode(workdir, timings.nodeFactsMs);
  log.debug("this node", node.facts);
  const managed = { api: client, identity: config.identity };
  await runAgent({
    config,
    client,
    transfers: createTransfers(config.transfer, managed),
    snapshots: createSnapshots(config.transfer, managed),
    imds,
    clock,
    memory: createCgroupMemory(),
    log,
    shutdown,
    timings: bounds,
    workdir,
    node,
  });
  log.info("agent stopped");
}
