/**
 * One slot: takes one job after another and runs it, beside the other slots. What goes wrong with a job ends its attempt;
 * what goes wrong with this loop itself is this slot's own trouble, and the others go on.
 */
import { randomUUID } from "node:crypto";
import { observeActivity } from "../activity.ts";
import { type Attempt, type Held, type LocalEnd, runAttempt } from "../attempt.ts";
import type { NextJob } from "../claims.ts";
import type { Clock } from "../clock.ts";
import { type Ending, endingOfError } from "../ending.ts";
import { type FinalisationSettings, finaliseAttempt } from "../finalisation.ts";
import type { DeletionCost, JobWorth } from "../imds/deletion-cost.ts";
import { leaseOf } from "../lease/lease.ts";
import { type Log, reasonOf } from "../log.ts";
import { backoffMs, pause } from "../pause.ts";
import { rulesOf } from "../rules.ts";
import { clearDirectories } from "./clear-directories.ts";
import { holdDirectories } from "./hold-directories.ts";
import type { NodeFaults } from "./node-faults.ts";
import type { Patience } from "./patience.ts";
import { DirectoryOccupied, type SlotDirectories } from "./slot-directories.ts";
import type { Slot } from "./slot-environment.ts";
import type { WorkDesk } from "./work-desk.ts";

/** What the slots of an agent share, besides what its attempts do. */
export interface SlotsShared {
  attempts: Omit<FinalisationSettings, "slot" | "guard">;
  clock: Clock;
  log: Log;
  deletionCost: DeletionCost;
  slots: number;
  desk: WorkDesk;
  nodeFaults: NodeFaults;
  directories: SlotDirectories;
  patience: Patience;
  /** Uploads and reports that still go on; none of them rejects. */
  finalisations: Set<Promise<void>>;
}

/** A loop that errs so many times in a row will not recover; the last one's end is the agent's, which is then started anew. */
const errorsMax = 5;

/** Runs until the desk has no more work. Never throws. */
export async function runSlot(slot: Slot, shared: SlotsShared): Promise<void> {
  const { desk, log } = shared;
  const { shutdown, timings } = shared.attempts;
  const { faultPauseFirstMs, faultPauseCapMs } = timings;
  const pauseMs = (faults: number) => backoffMs(faults, faultPauseFirstMs, faultPauseCapMs);
  const { stopping } = shutdown;
  let faults = 0;
  let errors = 0;
  while (errors < errorsMax) {
    try {
      const next = await desk.next();
      if (next.kind === "idle" || next.kind === "stopping") break;
      const claim = shared.nodeFaults.claimed();
      const { ending, occupied } = await workOn(next, slot, shared);
      errors = 0;
      const scope = occupied ? "queue" : faultScopeOf(ending);
      faults = scope === "slot" ? faults + 1 : 0;
      // The job is offered at once to whoever claims next: that should be another agent, and not this one's next slot.
      if (scope === "queue") desk.pauseClaims(pause(timings.occupiedPauseMs, stopping));
      if (scope === "node") desk.pauseClaims(pause(pauseMs(shared.nodeFaults.met(claim)), stopping));
      if (scope === undefined) shared.nodeFaults.passed();
    } catch (error) {
      errors += 1;
      faults += 1;
      const stack = error instanceof Error ? error.stack : undefined;
      log.error("a slot erred; the others go on", {
        slot: slot.number,
        errors,
        reason: reasonOf(error),
        stack,
      });
    }
    if (faults > 0) await pause(pauseMs(faults), stopping);
  }
  desk.leave();
}

/**
 * Whom the next job would likely meet the same end with: every slot, since this node or the storage could not run it; or this
 * slot, which met it before the command was reached (a wrong bucket, or wrong credentials; one that rushes on would fail
 * the whole queue).
 */
function faultScopeOf(ending: Ending): "node" | "slot" | undefined {
  if (ending.end === "released" && ending.faulty) return ending.ofSlot ? "slot" : "node";
  return ending.end === "failed" && !ending.exit ? "slot" : undefined;
}

type Given = Extract<NextJob, { kind: "job" }>;

interface Worked {
  ending: Ending;
  /** Another slot's job was in the way. */
  occupied: boolean;
}

async function workOn(next: Given, slot: Slot, shared: SlotsShared): Promise<Worked> {
  const { job } = next;
  const { deletionCost, desk, directories } = shared;
  const user = { jobId: job.id, slot: slot.number };
  const { config, workdir } = shared.attempts;
  const settings: FinalisationSettings = {
    ...shared.attempts,
    slot,
    guard: { workdir, stateFile: config.stateFile, occupied: (path) => directories.occupied(path, user) },
  };
  const rules = rulesOf(job, slot.directories);
  const held: Held = { release: async () => undefined };
  let release: (() => void) | undefined;
  let occupied = false;
  let local: LocalEnd;
  let begun = false;
  const worth = deletionCost.begin();
  const settled = () => {
    desk.settled();
    worth.over();
    next.over();
  };
  try {
    const attempt = beginAttempt(job, slot, shared, worth);
    try {
      release = await holdDirectories(rules, attempt, settings, shared);
      local = await runAttempt(attempt, settings, held);
      if (attempt.lease.progress.commandStarted) settings.moves.commandEnded();
    } catch (error) {
      const { lease, log } = attempt;
      const { stopping } = settings.shutdown;
      occupied = error instanceof DirectoryOccupied;
      local = { rules, ending: endingOfError(error, { lease, stopping, log }) };
    }
    begun = true;
    const finalisation = finaliseAttempt(attempt, local, settings).finally(() => {
      shared.finalisations.delete(finalisation);
      settled();
    });
    shared.finalisations.add(finalisation);
    // Whoever stops may be killed at any moment: first everybody is told that the job is free.
    if (settings.shutdown.stopping.aborted) await finalisation;
    // Directories that were never held are somebody else's.
    if (release) await clearDirectories(rules, settings, shared.log);
    return { ending: local.ending, occupied };
  } finally {
    // A lease that was never begun is not renewed, and so ends by itself.
    if (!begun) settled();
    await held.release().finally(release);
  }
}

function beginAttempt(job: Given["job"], slot: Slot, shared: SlotsShared, worth: JobWorth): Attempt {
  const { clock } = shared;
  const { heldAttempts, renewals, stateFile, timings } = shared.attempts;
  const place = shared.slots > 1 ? { slot: slot.number } : {};
  const log = shared.log.with({ job_id: job.id, attempt: job.attempt, ...place });
  const lease = leaseOf(job, {
    clock,
    tickMs: timings.trustTickMs,
    maxUntrustedMs: timings.maxUntrustedMs,
    onLapse() {
      log.warn("trust lapsed: effects wait, the command runs on");
      renewals.renewNow();
    },
  });
  const runId = randomUUID();
  const state = stateFile.begin(job.id, slot.number);
  const activity = observeActivity(state, stateFile, () => {
    if (!lease.progress.commandStarted) return;
    lease.progress.checkpoint();
    worth.saved();
  });
  // Before the first renewal: an attempt that a crash leaves unwritten is then not acknowledged either, and lapses in 10 s.
  const record = heldAttempts.hold({
    job_id: job.id,
    attempt: job.attempt,
    lease_token: job.lease_token,
    run_id: runId,
  });
  // Last: whatever goes wrong before leaves no lease that is renewed for nobody.
  renewals.hold(lease);
  log.info("job claimed", { lease_seconds: job.lease_seconds });
  return { job, lease, log, state, activity, worth, runId, record };
}
