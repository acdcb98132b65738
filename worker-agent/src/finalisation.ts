/**
 * The part of an attempt that needs only the lease: outputs go up, the end is reported, what was moved aside is deleted. It may
 * overlap the next job; renewals go on until the report is recorded. A job is never reported completed before every output
 * is verified present.
 */
import { limits, type RefusalReason, type ReportInput } from "../../src/contract/index.ts";
import { type Attempt, type AttemptSettings, type LocalEnd, transferContext } from "./attempt.ts";
import type { Config } from "./config.ts";
import { type Ending, endingOfError } from "./ending.ts";
import type { HeldAttempts } from "./held-attempts.ts";
import type { JobOutcome, Moves } from "./imds/moves.ts";
import type { Renewals } from "./lease/renewal.ts";
import { type Log, reasonOf } from "./log.ts";
import { backoffMs, pause } from "./pause.ts";
import type { CommandExit } from "./process.ts";
import { reportEnd } from "./reporting.ts";
import { unlessHung } from "./shutdown.ts";
import { TransferError } from "./transfer/ports.ts";

export interface FinalisationSettings extends AttemptSettings {
  renewals: Renewals;
  moves: Pick<Moves, "commandEnded" | "jobEnded" | "reallocate">;
  heldAttempts: HeldAttempts;
  identity: Config["identity"];
}

/** Uploads what is left, reports the end and lets the lease go. Never throws. */
export async function finaliseAttempt(
  attempt: Attempt,
  local: LocalEnd,
  settings: FinalisationSettings,
): Promise<void> {
  const { log, lease, state } = attempt;
  let recorded = false;
  let untold = false;
  try {
    const ending = await uploadOutputs(attempt, local, settings);
    if (ending.end === "lost") attempt.logs?.abandon();
    else await attempt.logs?.delivered(settings.shutdown.hurry);
    if (ending.end === "lost") tellLoss(ending.reason, log);
    else {
      const told = await report(attempt, ending, settings);
      recorded = told && ending.end === "completed";
      untold = !told && settings.shutdown.stopping.aborted;
      if (told) settings.moves.jobEnded(outcomeOf(ending));
    }
  } catch (error) {
    log.error("finalisation failed", { reason: reasonOf(error) });
  }
  settings.renewals.letGo(lease);
  // An end that could not be told before the agent stops is told by the next one.
  if (!untold) attempt.record.drop();
  state.status = recorded ? "completed" : "failed";
  state.end = new Date().toISOString();
  settings.stateFile.changed();
  await local.aside
    ?.remove()
    .catch((error) => log.warn("outputs moved aside remain", { reason: reasonOf(error) }));
}

/** Whoever cancels a job wants it to end: that is no loss. */
function tellLoss(reason: string, log: Log): void {
  if (reason === ("canceled" satisfies RefusalReason)) log.info("attempt canceled, nothing reported");
  else log.warn("attempt lost, nothing reported", { reason });
}

/** A job that fails everywhere before its command runs (no such bucket, say) tells nothing about this node. */
function outcomeOf({ end, exit }: Ending & { exit?: CommandExit }): JobOutcome {
  if (end === "failed") return exit ? "failed" : "other";
  return end === "completed" ? "completed" : "other";
}

async function uploadOutputs(
  attempt: Attempt,
  { ending, rules, aside }: LocalEnd,
  settings: FinalisationSettings,
): Promise<Ending> {
  if (ending.end !== "completed" || !aside) return ending;
  const { shutdown, timings, transfers, workdir } = settings;
  const { lease, log } = attempt;
  const { shutdownUploadMs, shutdownHangMs } = timings;
  const bound = shutdown.bound(shutdownUploadMs);
  const context = transferContext(attempt, workdir, bound.signal);
  try {
    for (let round = 1; ; round++) {
      try {
        for (const rule of rules.after) {
          const patience = shutdown.bound(shutdownUploadMs + shutdownHangMs, shutdownHangMs);
          await unlessHung(transfers.upload(rule, aside.from(rule), context), patience);
        }
        // A lease lost while the last answers came in must not be followed by a report.
        lease.trust.ended.throwIfAborted();
        return ending;
      } catch (error) {
        const mayRecover = error instanceof TransferError && error.fault === "storage";
        if (!mayRecover || round >= timings.outputRounds || context.signal.aborted) throw error;
        log.warn("outputs not uploaded, will retry", { round, reason: reasonOf(error) });
        await pause(backoffMs(round, timings.outputRoundPauseMs, 60_000), context.signal);
      }
    }
  } catch (error) {
    const failed = endingOfError(error, { lease, stopping: shutdown.stopping, log, exit: ending.exit });
    return "reason" in failed && failed.end !== "lost"
      ? { ...failed, reason: `the outputs could not be uploaded: ${failed.reason}` }
      : failed;
  } finally {
    bound.release();
  }
}

async function report(
  attempt: Attempt,
  ending: Exclude<Ending, { end: "lost" }>,
  settings: FinalisationSettings,
): Promise<boolean> {
  const { client, identity, shutdown, timings } = settings;
  const { activity, lease, log } = attempt;
  const body: ReportInput = {
    ...identity,
    attempt: lease.attempt,
    lease_token: lease.token,
    exit_code: ending.exit?.exitCode,
    signal: ending.exit?.signal,
    cause: ending.exit?.cause,
    progress: lease.progress.newest,
    reason: "reason" in ending ? ending.reason.slice(0, limits.reasonChars) : undefined,
    bytes_downloaded: activity.bytes.download,
    bytes_uploaded: activity.bytes.upload,
  };
  const bound = shutdown.bound(timings.shutdownReportMs, timings.shutdownHurriedReportMs);
  attempt.record.ending({ end: ending.end, body });
  try {
    const onReallocate = (reason: string) => settings.moves.reallocate(reason);
    const reporting = { client, lease, log, timings, onReallocate, signal: bound.signal };
    return await reportEnd(reporting, ending.end, body);
  } finally {
    bound.release();
  }
}
