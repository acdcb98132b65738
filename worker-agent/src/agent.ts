/**
 * The agent: takes one job after another until it is told to stop. What goes wrong with a job ends its attempt, never the
 * agent. While one job runs, outputs of at most `finalisationsMax` earlier ones still go up.
 */
import { realpath } from "node:fs/promises";
import { observeActivity } from "./activity.ts";
import type { IdentifiedClient } from "./api/client.ts";
import type { LeasedJob } from "./api/work.ts";
import { Asides } from "./aside.ts";
import { type Attempt, type AttemptSettings, type Held, type LocalEnd, runAttempt } from "./attempt.ts";
import { nextJob } from "./claims.ts";
import type { Clock } from "./clock.ts";
import type { Config } from "./config.ts";
import { DirectoryRefused, emptyIfThere, makeClearable, makeEmpty } from "./directories.ts";
import { DirectoryLocks, PathBusy } from "./directory-locks.ts";
import type { Ending } from "./ending.ts";
import { type FinalisationSettings, finaliseAttempt } from "./finalisation.ts";
import type { JobWorth } from "./imds/deletion-cost.ts";
import type { Imds } from "./imds/imds.ts";
import { enterNode } from "./imds/node.ts";
import { leaseOf } from "./lease/lease.ts";
import { Renewals } from "./lease/renewal.ts";
import { type Log, reasonOf } from "./log.ts";
import { backoffMs, pause, unlessAborted } from "./pause.ts";
import { directoriesOf } from "./rules.ts";
import type { Shutdown } from "./shutdown.ts";
import type { Snapshots } from "./snapshot/ports.ts";
import { keepSocket } from "./socket/socket.ts";
import { WorkSignals } from "./socket/work-signals.ts";
import { StateFile } from "./state-file.ts";
import { holdStateFile } from "./state-file-hold.ts";
import type { Timings } from "./timings.ts";
import type { Transfers } from "./transfer/ports.ts";

/** Each holds a lease and disk space; a node whose uploads lag further behind should not take more work. */
const finalisationsMax = 2;

export interface AgentSettings {
  config: Config;
  client: IdentifiedClient;
  transfers: Transfers;
  snapshots: Snapshots;
  /** The node's metadata service. */
  imds: Imds;
  clock: Clock;
  log: Log;
  shutdown: Shutdown;
  timings: Timings;
  workdir: string;
}

/**
 * Runs until the shutdown is requested, or until there was no work for as long as configured.
 *
 * @throws ConfigError when another agent on this machine has the same state file.
 */
export async function runAgent(settings: AgentSettings): Promise<void> {
  const { clock, client, config, log, shutdown, timings } = settings;
  const locks = new DirectoryLocks(log);
  const releaseStateFile = await holdStateFile(locks, config.stateFile);
  const renewals = new Renewals({ client, identity: config.identity, clock, log, timings });
  const stateFile = new StateFile(config.stateFile, log);
  const signals = new WorkSignals(clock, timings.drainForgottenMs);
  const node = await enterNode(settings, signals, locks);
  const { moves } = node;
  const attempts: FinalisationSettings = {
    ...settings,
    renewals,
    moves,
    stateFile,
    identity: config.identity,
    asides: new Asides(locks),
    locks,
  };
  stateFile.changed();
  await prepareLegacyDirectories(attempts, log);

  const over = new AbortController();
  const renewing = renewals.run(over.signal);
  const onNode = node.run(over.signal, shutdown.stopping);
  const onReallocate = (reason: string) => moves.reallocate(reason);
  const onEnded = (jobId: string, attempt: number) => renewals.doubt(jobId, attempt);
  const listening =
    config.socket &&
    keepSocket(
      { config, credentials: client.credentials, clock, log, timings, signals, onEnded, onReallocate },
      over.signal,
    );
  const claiming = shutdown.bound(timings.shutdownReportMs);
  const finalisations = new Set<Promise<void>>();
  let faults = 0;
  let isIdle = false;
  while (!shutdown.stopping.aborted) {
    if (finalisations.size >= finalisationsMax) {
      await unlessAborted(Promise.race(finalisations), shutdown.stopping);
      continue;
    }
    const claims = { client, config, clock, log, timings, signals };
    const next = await nextJob({ ...claims, stopping: shutdown.stopping, stopped: claiming.signal });
    isIdle = next.kind === "idle";
    if (isIdle) log.info("no work for as long as configured", { seconds: config.maxIdleMs / 1000 });
    if (next.kind !== "job") break;

    const attempt = beginAttempt(next.job, settings, attempts, node.deletionCost.begin());
    const held: Held = { release: async () => undefined };
    const local = await runAttempt(attempt, attempts, held);
    if (attempt.lease.progress.commandStarted) moves.commandEnded();
    const finalisation = finaliseAttempt(attempt, local, attempts);
    finalisations.add(finalisation);
    void finalisation.then(() => {
      finalisations.delete(finalisation);
      attempt.worth.over();
      next.over();
    });

    await clearDirectories(local, attempts, log);
    await held.release();
    faults = isFaulty(local.ending) ? faults + 1 : 0;
    if (faults > 0) {
      const { faultPauseFirstMs, faultPauseCapMs } = timings;
      await pause(backoffMs(faults, faultPauseFirstMs, faultPauseCapMs), shutdown.stopping);
    }
  }
  await Promise.all(finalisations);
  if (isIdle) await moves.leaveIdle(`no work for ${config.maxIdleMs / 1000} s`, shutdown.stopping);
  claiming.release();
  over.abort();
  await Promise.all([renewing, listening, onNode]);
  await stateFile.written();
  await releaseStateFile();
}

/**
 * Whether the next job would likely end the same way: this node or the storage could not run it, or the command was never
 * reached (wrong credentials, say), and an agent that rushes on would fail the whole queue.
 */
function isFaulty(ending: Ending): boolean {
  return (ending.end === "released" && ending.faulty) || (ending.end === "failed" && !ending.exit);
}

function beginAttempt(
  job: LeasedJob,
  settings: AgentSettings,
  shared: FinalisationSettings,
  worth: JobWorth,
): Attempt {
  const { clock, timings } = settings;
  const { renewals, stateFile } = shared;
  const log = settings.log.with({ job_id: job.id, attempt: job.attempt });
  const lease = leaseOf(job, {
    clock,
    tickMs: timings.trustTickMs,
    maxUntrustedMs: timings.maxUntrustedMs,
    onLapse() {
      log.warn("trust lapsed: effects wait, the command runs on");
      renewals.renewNow();
    },
  });
  renewals.hold(lease);
  log.info("job claimed", { lease_seconds: job.lease_seconds });
  const state = stateFile.begin(job.id);
  const activity = observeActivity(state, stateFile, () => {
    if (!lease.progress.commandStarted) return;
    lease.progress.checkpoints += 1;
    worth.saved();
  });
  return { job, lease, log, state, activity, worth };
}

/** Made and emptied at the start; a node where that is impossible can still run jobs that name their own. */
async function prepareLegacyDirectories(settings: AttemptSettings, log: Log): Promise<void> {
  for (const directory of Object.values(settings.config.directories)) {
    const guard = { workdir: settings.workdir, stateFile: settings.config.stateFile };
    try {
      const release = await settings.locks.take([await makeClearable(directory, guard)]);
      await makeEmpty(directory, guard).finally(release);
    } catch (error) {
      log.warn("directory of older jobs is not usable", { directory, reason: reasonOf(error) });
    }
  }
}

async function clearDirectories({ rules }: LocalEnd, settings: AttemptSettings, log: Log): Promise<void> {
  const { config, workdir, asides, locks } = settings;
  const directories = [...directoriesOf(rules, workdir), ...Object.values(config.directories)];
  for (const directory of new Set(directories)) {
    try {
      // Outputs aside in here still upload; the next job that uses it waits for them and clears it then.
      if (await asides.isInside(directory)) continue;
      const real = await realpath(directory).catch(() => directory); // not there: nothing to clear
      const release = await locks.take([real]);
      await emptyIfThere(directory, { workdir, stateFile: config.stateFile }).finally(release);
    } catch (error) {
      const { message: reason } = error as Error;
      // Refused ones were never used, another agent's are its own. Others are cleared again before the next job, which fails if that fails.
      if (!(error instanceof DirectoryRefused || error instanceof PathBusy))
        log.warn("directory not cleared", { directory, reason });
    }
  }
}
