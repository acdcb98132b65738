/** The agent as a program: configuration, signals, exit code. Its exit code never speaks of a job. */
import { runAgent } from "./agent.ts";
import { createApiClient } from "./api/client.ts";
import { createClock } from "./clock.ts";
import { type Config, ConfigError, readConfig } from "./config.ts";
import type { EarlySignals } from "./early-signals.ts";
import { createImds } from "./imds/imds.ts";
import { createCredentials } from "./imds/node-credentials.ts";
import { NodeToken, rememberingIn } from "./imds/node-token.ts";
import { createLog, reasonOf } from "./log.ts";
import { Shutdown } from "./shutdown.ts";
import { createSnapshots } from "./snapshot/snapshots.ts";
import { timings } from "./timings.ts";
import { createTransfers } from "./transfer/transfers.ts";
import { version } from "./version.ts";

/** As in sysexits.h: what a person must mend before a restart can help. */
const exitConfig = 78;

const help = `kelpie ${version}: takes jobs from the queue of this container group and runs them.

Runs without arguments; everything is configured by environment variables.
At least: KELPIE_API_URL. Elsewhere than on SaladCloud also KELPIE_API_KEY (or SALAD_API_KEY), SALAD_MACHINE_ID, SALAD_CONTAINER_GROUP_ID.
`;

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
  process.stdout.on("error", () => undefined);
  if (args.includes("--version")) process.stdout.write(`${version}\n`);
  else if (args.includes("--help") || args.includes("-h")) process.stdout.write(help);
  else return start(signals);
  return 0;
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
  // Idle connections would keep the process for a few seconds.
  return process.exit(0);
}

async function work(config: Config, workdir: string, signals: EarlySignals): Promise<void> {
  const secrets = new Set(config.secrets);
  const log = createLog({ level: config.logLevel, secrets });
  const shutdown = new Shutdown();
  signals.listen((signal) => {
    log.info(shutdown.stopping.aborted ? "told again to stop: hurrying" : "told to stop", { signal });
    shutdown.request();
  });
  // Whatever hangs, the agent keeps its word to end in bounded time.
  const { stopGraceMs, shutdownUploadMs, shutdownReportMs, shutdownHurriedReportMs } = timings;
  const slackMs = 2_000;
  const bound = shutdown.bound(
    stopGraceMs + 2 * shutdownUploadMs + 2 * shutdownReportMs + slackMs,
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
  const clock = createClock();
  const imds = createImds({ url: config.imds.url, timings });
  const token = new NodeToken({ imds, clock, onToken: rememberingIn(secrets) });
  const client = createApiClient(config.apiUrl, createCredentials(config, token));
  const managed = { api: client, identity: config.identity };
  await runAgent({
    config,
    client,
    transfers: createTransfers(config.transfer, managed),
    snapshots: createSnapshots(config.transfer, managed),
    imds,
    clock,
    log,
    shutdown,
    timings,
    workdir,
  });
  log.info("agent stopped");
}
