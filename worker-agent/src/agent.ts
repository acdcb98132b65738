/**
 * The agent: what its slots share, and the slots themselves, each of which takes one job after another until the agent is told to
 * stop. What goes wrong with a job ends its attempt, never the agent. While jobs run, outputs of earlier ones still go up.
 */
import type { IdentifiedClient } from "./api/client.ts";
import { Asides } from "./aside.ts";
import type { CgroupMemory } from "./cgroup-memory.ts";
import type { Clock } from "./clock.ts";
import type { Config } from "./config.ts";
import { DirectoryLocks } from "./directory-locks.ts";
import { HeldAttempts } from "./held-attempts.ts";
import type { Imds } from "./imds/imds.ts";
import { enterNode } from "./imds/node-service.ts";
import { Renewals } from "./lease/renewal.ts";
import type { Log } from "./log.ts";
import type { Outlets } from "./logs/attempt-logs.ts";
import type { Node } from "./node/read-node.ts";
import { unlessAborted } from "./pause.ts";
import { recover } from "./recovery.ts";
import type { Shutdown } from "./shutdown.ts";
import { prepareLegacyDirectories } from "./slots/clear-directories.ts";
import { NodeFaults } from "./slots/node-faults.ts";
import { Patience } from "./slots/patience.ts";
import { runSlot, type SlotsShared } from "./slots/slot.ts";
import { SlotDirectories } from "./slots/slot-directories.ts";
import { sharesOf, slotsOf } from "./slots/slot-environment.ts";
import { WorkDesk } from "./slots/work-desk.ts";
import type { Snapshots } from "./snapshot/ports.ts";
import { keepSocket } from "./socket/socket.ts";
import { WorkSignals } from "./socket/work-signals.ts";
import { StateFile } from "./state-file.ts";
import { holdStateFile } from "./state-file-hold.ts";
import type { Timings } from "./timings.ts";
import type { Transfers } from "./transfer/ports.ts";

/**
 * The job that runs and one that still uploads. Each lease costs disk space, and a node whose uploads lag further behind should not
 * take more work. One renewal carries them all (KELPIE_SLOTS is bounded for that).
 */
const leasesPerSlot = 2;

export interface AgentSettings {
  config: Config;
  client: IdentifiedClient;
  transfers: Transfers;
  snapshots: Snapshots;
  /** The node's metadata service. */
  imds: Imds;
  clock: Clock;
  memory: CgroupMemory;
  log: Log;
  shutdown: Shutdown;
  timings: Timings;
  workdir: string;
  node: Node;
  /** See AttemptSettings. */
  outlets?: Outlets;
}

/**
 * Runs until the shutdown is requested, or until there was no work for as long as configured.
 *
 * @throws ConfigError when another agent on this machine has the same state file.
 */
export async function runAgent(settings: AgentSettings): Promise<void> {
  const { clock, client, config, log, node, shutdown, timings, workdir } = settings;
  const locks = new DirectoryLocks(log);
  const releaseStateFile = await holdStateFile(locks, config.stateFile);
  const renewals = new Renewals({ client, identity: config.identity, clock, log, timings });
  const stateFile = new StateFile(config.stateFile, log);
  const signals = new WorkSignals(clock, timings.drainForgottenMs);
  const { deletionCost, moves, ...service } = await enterNode(settings, signals, locks);
  const heldAttempts = new HeldAttempts(config.stateFile, log);
  stateFile.changed();
  const over = new AbortController();
  const onReallocate = (reason: string) => moves.reallocate(reason);
  const claiming = shutdown.bound(timings.shutdownReportMs);
  const stopped = AbortSignal.any([claiming.signal, over.signal]);
  const { reported } = await recover({
    client,
    config,
    log,
    timings,
    onReallocate,
    held: heldAttempts,
    stopped,
  });
  // What is left of an earlier agent's jobs is told before this node is given away.
  void reported.then(signals.occupy());
  const slots = slotsOf(config.slots, config.directories, node.gpuCount);
  if (slots.length > 1)
    log.info("several jobs at once", {
      slots: slots.length,
      gpus: node.gpuCount,
      gpus_each: sharesOf(slots),
    });
  const guard = { workdir, stateFile: config.stateFile };
  for (const slot of slots) await prepareLegacyDirectories(slot, { guard, locks }, log);

  const renewing = renewals.run(over.signal);
  const onNode = service.run(over.signal, shutdown.stopping);
  const onEnded = (jobId: string, attempt: number) => renewals.doubt(jobId, attempt);
  const listening =
    config.socket &&
    keepSocket(
      { config, credentials: client.credentials, clock, log, timings, signals, onEnded, onReallocate },
      over.signal,
    );
  const shared: SlotsShared = {
    attempts: {
      ...settings,
      renewals,
      heldAttempts,
      moves,
      stateFile,
      identity: config.identity,
      asides: new Asides(locks),
      locks,
    },
    clock,
    log,
    deletionCost,
    slots: slots.length,
    desk: new WorkDesk({
      client,
      config,
      clock,
      log,
      timings,
      signals,
      facts: node.facts,
      stopping: shutdown.stopping,
      stopped: claiming.signal,
      slots: slots.length,
      leasesMax: leasesPerSlot * slots.length,
    }),
    nodeFaults: new NodeFaults(),
    directories: new SlotDirectories(),
    patience: new Patience(timings),
    finalisations: new Set(),
  };
  await Promise.all(slots.map((slot) => runSlot(slot, shared)));
  await Promise.all(shared.finalisations);
  const { isIdle } = shared.desk;
  await unlessAborted(reported, isIdle ? AbortSignal.timeout(timings.shutdownReportMs) : claiming.signal);
  if (isIdle) await moves.leaveIdle(`no work for ${config.maxIdleMs / 1000} s`, shutdown.stopping);
  claiming.release();
  over.abort();
  await Promise.all([renewing, listening, onNode, reported]);
  await stateFile.written();
  await releaseStateFile();
}
