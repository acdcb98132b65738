/** What stands around a running command: the file it tells its progress to, and what becomes of what it writes. */
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Attempt, AttemptSettings } from "./attempt.ts";
import { reasonOf } from "./log.ts";
import { AttemptLogs } from "./logs/attempt-logs.ts";
import { makePrivateDirectory, type PrivateDirectory } from "./private-directory.ts";
import { ProgressWatch } from "./progress/progress-watch.ts";

export interface Surroundings {
  /** The command's. */
  environment: NodeJS.ProcessEnv;
  /** Undefined: its output goes where the agent's goes, and nothing is kept. */
  logs: AttemptLogs | undefined;
  /** Reads what the command has told of its progress. */
  look(): Promise<void>;
  /** The command has ended: reads what it has told and written last. */
  end(): Promise<void>;
}

/** @throws the system's error when there is no place for the progress file of a job that is to be watched for stalls. */
export async function surround(
  attempt: Attempt,
  settings: AttemptSettings,
  environment: NodeJS.ProcessEnv,
): Promise<Surroundings> {
  const { lease, log } = attempt;
  const directory = await privateDirectory(attempt, settings);
  // Always set: one that the container or an agent around this one has is not ours.
  const path = directory && join(directory.path, "progress.jsonl");
  const complete = { ...environment, KELPIE_PROGRESS_FILE: path };
  const watch =
    path === undefined ? undefined : new ProgressWatch(path, lease.progress, log, settings.timings);
  attempt.logs = directory && (await openLogs(directory, attempt, settings, complete));
  const { logs } = attempt;
  return {
    environment: complete,
    logs,
    look: async () => watch?.look(),
    async end() {
      await Promise.all([watch?.end(), logs?.end()]);
      await directory
        ?.remove()
        .catch((error) => log.warn("the progress file remains", { reason: reasonOf(error) }));
    },
  };
}

async function privateDirectory(
  { job, log }: Attempt,
  { config }: AttemptSettings,
): Promise<PrivateDirectory | undefined> {
  try {
    return await makePrivateDirectory([tmpdir(), dirname(config.stateFile)]);
  } catch (error) {
    // Without it a job that only tells steps would look stalled.
    if (job.stall_timeout_seconds != null) throw error;
    log.warn("no place for a progress file: neither progress nor log are kept", { reason: reasonOf(error) });
    return undefined;
  }
}

async function openLogs(
  directory: PrivateDirectory,
  { lease, log }: Attempt,
  { client, identity, outlets, timings }: AttemptSettings,
  environment: NodeJS.ProcessEnv,
): Promise<AttemptLogs | undefined> {
  if (timings.logSendMs === 0) return undefined;
  return AttemptLogs.open(directory.path, {
    ...{ client, identity, lease, log, environment, timings },
    outlets: outlets ?? { stdout: process.stdout, stderr: process.stderr },
  });
}
