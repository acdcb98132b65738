/**
 * The part of an attempt that needs the job's directories: from empty directories to a command that has ended, its
 * mirrors brought up to date and its outputs moved aside. What follows (final uploads, the report) is finalisation.ts, and may
 * overlap the next job. Effects that others can see are the transfers', which ask the lease's trust first.
 */
import type { Activity } from "./activity.ts";
import type { ApiClient } from "./api/client.ts";
import type { LeasedJob } from "./api/work.ts";
import type { Aside, Asides } from "./aside.ts";
import { type BroughtIn, carryOutBefore } from "./bring-in.ts";
import type { CgroupMemory } from "./cgroup-memory.ts";
import type { Clock } from "./clock.ts";
import type { Config } from "./config.ts";
import { type DirectoryGuard, makeClearable, makeEmpty } from "./directories.ts";
import type { DirectoryLocks, Release } from "./directory-locks.ts";
import { checkGoesOn, describeExit, type Ending, endingOfError } from "./ending.ts";
import type { JudgedExit } from "./exit-cause.ts";
import type { HeldRecord } from "./held-attempts.ts";
import type { JobWorth } from "./imds/deletion-cost.ts";
import type { Lease } from "./lease/lease.ts";
import { type Log, reasonOf } from "./log.ts";
import type { AttemptLogs, Outlets } from "./logs/attempt-logs.ts";
import { unlessAborted } from "./pause.ts";
import { directoriesOf, type JobRules, rulesOf } from "./rules.ts";
import { endingOfStart, type Run, runCommand } from "./run-command.ts";
import { type Shutdown, unlessHung } from "./shutdown.ts";
import type { Slot } from "./slots/slot-environment.ts";
import type { SnapshotContext, Snapshots } from "./snapshot/ports.ts";
import type { JobState, StateFile } from "./state-file.ts";
import type { Timings } from "./timings.ts";
import type { Mirror, TransferContext, Transfers } from "./transfer/ports.ts";

/** What all attempts of an agent share. */
export interface AttemptSettings {
  config: Pick<Config, "stateFile">;
  slot: Slot;
  /** What keeps a job from clearing what is not its own. */
  guard: DirectoryGuard;
  transfers: Transfers;
  snapshots: Snapshots;
  asides: Asides;
  clock: Clock;
  memory: CgroupMemory;
  locks: DirectoryLocks;
  stateFile: StateFile;
  shutdown: Shutdown;
  timings: Timings;
  /** The agent's and so the command's working directory. */
  workdir: string;
  client: ApiClient;
  identity: Config["identity"];
  /** Where what commands write goes on to. Default: the agent's own stdout and stderr. */
  outlets?: Outlets;
}

/** One attempt, from its claim to its reported end. */
export interface Attempt {
  job: LeasedJob;
  lease: Lease;
  log: Log;
  state: JobState;
  activity: Activity;
  /** What SaladCloud is told that it would cost to take the node away. */
  worth: JobWorth;
  /** Marks the processes of its command. */
  runId: string;
  /** What a later agent finds should this one not live to see its end. */
  record: HeldRecord;
  /** Once the command has been started: what of its log is still to be sent. */
  logs?: AttemptLogs;
}

/** How the local part of an attempt ended; for `completed`, with outputs that wait to be uploaded. */
export interface LocalEnd {
  ending: Ending;
  rules: JobRules;
  aside?: Aside;
}

/** What the local part holds until its directories have been cleared. */
export interface Held {
  release: Release;
}

/** Runs the local part. Never throws: every error is somebody's fault (ending.ts). */
export async function runAttempt(attempt: Attempt, settings: AttemptSettings, held: Held): Promise<LocalEnd> {
  const { lease, log, job } = attempt;
  const { shutdown, timings } = settings;
  const { stopping } = shutdown;
  const hang = () => shutdown.bound(timings.shutdownHangMs, timings.shutdownHangMs);
  const rules = rulesOf(job, settings.slot.directories);
  const uploads = new AbortController();
  let mirrors: Mirror[] = [];
  let exit: JudgedExit | undefined;
  try {
    await prepareDirectories(rules, attempt, settings, held);
    const before = await unlessHung(bringIn(rules, attempt, settings), hang());
    // A command started by a machine that has lost the job meanwhile would be for nothing.
    await unlessAborted(lease.trust.ready(), stopping);
    checkGoesOn(lease, stopping);
    mirrors = await unlessHung(startMirrors(rules, before, attempt, settings, uploads.signal), hang());
    const run = await runCommand(attempt, settings, {
      mirrors,
      environment: commandEnvironment(job, settings),
      directories: directoriesOf(rules, settings.workdir),
    });
    if (!run.ok) return { rules, ending: endingOfStart(run) };
    exit = run.exit;
    attempt.worth.uploading();
    await finishMirrors(mirrors, attempt, settings, uploads, run);
    mirrors = [];
    lease.trust.ended.throwIfAborted();
    if (run.interrupted) throw run.interrupted;
    if (exit.exitCode !== 0) return { rules, ending: { end: "failed", exit, reason: describeExit(exit) } };
    const aside = await settings.asides.move(rules.after, {
      jobId: job.id,
      workdir: settings.workdir,
      signal: lease.trust.ended,
      onPassedOver: (message) => log.warn("not an output", { reason: message }),
    });
    return { rules, aside, ending: { end: "completed", exit } };
  } catch (error) {
    return { rules, ending: endingOfError(error, { lease, stopping, log, exit }) };
  } finally {
    uploads.abort();
    const abandoned = Promise.allSettled(mirrors.map((mirror) => mirror.abandon()));
    await unlessHung(abandoned, hang()).catch(() => undefined);
  }
}

/** What the transfer layer needs to know of this attempt. `signal` ends its transfers, besides the lease's end. */
export function transferContext(attempt: Attempt, workdir: string, signal: AbortSignal): TransferContext {
  return {
    gate: attempt.lease.trust,
    lease: attempt.lease,
    observer: attempt.activity.observer,
    signal: AbortSignal.any([attempt.lease.trust.ended, signal]),
    compression: attempt.job.compression,
    workdir,
    onProblem: (reason) => attempt.log.warn("transfer in trouble", { reason }),
  };
}

function snapshotContext(attempt: Attempt, workdir: string, signal: AbortSignal): SnapshotContext {
  return {
    ...transferContext(attempt, workdir, signal),
    onCommitted: ({ prefix, generation, files, bytesSent, bytesTotal, seconds, quiet }) =>
      attempt.log.info("snapshot committed", {
        prefix,
        generation,
        files,
        bytes_sent: bytesSent,
        bytes_total: bytesTotal,
        seconds,
        quiet,
      }),
    onRestored: ({ prefix, attempt: of, generation, files, bytes }) =>
      attempt.log.info("snapshot restored", { prefix, of_attempt: of, generation, files, bytes }),
  };
}

async function prepareDirectories(
  rules: JobRules,
  { lease }: Attempt,
  settings: AttemptSettings,
  held: Held,
) {
  const { guard, locks, shutdown, workdir } = settings;
  checkGoesOn(lease, shutdown.stopping);
  const directories = directoriesOf(rules, workdir);
  // Outer ones first, or emptying them would remove the inner ones just made.
  const outerFirst = directories.toSorted((one, other) => one.length - other.length);
  const reals: string[] = [];
  for (const directory of outerFirst) reals.push(await makeClearable(directory, guard));
  if (reals.length > 0) held.release = await locks.take(reals);
  for (const directory of outerFirst) await makeEmpty(directory, guard);
}

/** What is known of the files that the `before` rules brought. */
async function bringIn(rules: JobRules, attempt: Attempt, settings: AttemptSettings): Promise<BroughtIn> {
  const { shutdown, snapshots, transfers, workdir } = settings;
  if (rules.before.length === 0) return { known: new Map(), restored: [] };
  const context = snapshotContext(attempt, workdir, shutdown.stopping);
  const brought = await carryOutBefore(rules.before, { snapshots, transfers }, context);
  attempt.log.info("downloads done", { bytes: attempt.activity.bytes.download });
  return brought;
}

async function startMirrors(
  rules: JobRules,
  { known, restored }: BroughtIn,
  attempt: Attempt,
  { snapshots, transfers, workdir }: AttemptSettings,
  signal: AbortSignal,
): Promise<Mirror[]> {
  const context = snapshotContext(attempt, workdir, signal);
  const starts = await Promise.allSettled(
    rules.during.map((rule) =>
      rule.mode === "snapshot"
        ? snapshots.start(rule, restored, context)
        : transfers.mirror(rule, known, context),
    ),
  );
  const mirrors = starts.flatMap((start) => (start.status === "fulfilled" ? [start.value] : []));
  const failed = starts.find((start) => start.status === "rejected");
  // Aborted: nobody waits for them any more.
  if (!failed && !signal.aborted) return mirrors;
  await Promise.allSettled(mirrors.map((mirror) => mirror.abandon()));
  throw failed?.reason ?? signal.reason;
}

/**
 * The container's environment, then the job's, then ours. The container's is passed on whole, keys included: existing
 * job scripts use its storage credentials, and some call the API themselves.
 */
function commandEnvironment(job: LeasedJob, { config, slot }: AttemptSettings): NodeJS.ProcessEnv {
  return {
    // Only where neither the container nor the job says which GPUs to use.
    ...(slot.gpus === undefined ? {} : { CUDA_VISIBLE_DEVICES: slot.gpus }),
    ...process.env,
    ...job.environment,
    INPUT_DIR: slot.directories.input,
    OUTPUT_DIR: slot.directories.output,
    CHECKPOINT_DIR: slot.directories.checkpoint,
    KELPIE_STATE_FILE: config.stateFile,
    KELPIE_JOB_ID: job.id,
    KELPIE_SLOT: String(slot.number),
  };
}

/** Brings every mirror up to date; with a command that did not succeed, as far as possible. */
async function finishMirrors(
  mirrors: Mirror[],
  attempt: Attempt,
  { shutdown, timings }: AttemptSettings,
  uploads: AbortController,
  { exit, interrupted }: Run,
): Promise<void> {
  const { shutdownUploadMs, shutdownHangMs } = timings;
  const bound = shutdown.bound(shutdownUploadMs);
  bound.signal.addEventListener("abort", () => uploads.abort(bound.signal.reason), { once: true });
  // Whoever is told to stop and then exits has had the time to finish what it was writing.
  const cutOff = exit.signal !== null || (exit.exitCode !== 0 && !interrupted);
  const finishing = Promise.allSettled(
    mirrors.map((mirror) =>
      unlessHung(
        mirror.finish({ cutOff }),
        shutdown.bound(shutdownUploadMs + shutdownHangMs, shutdownHangMs),
      ),
    ),
  );
  const finished = await finishing.finally(bound.release);
  const failed = finished.find((result) => result.status === "rejected");
  if (!failed) return;
  if (exit.exitCode === 0 && !interrupted) throw failed.reason;
  // The command's own failure is the news; this is worth a line.
  attempt.log.warn("not everything of the last checkpoint was uploaded", { reason: reasonOf(failed.reason) });
}
