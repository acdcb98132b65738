import type { AttemptEnd } from "../contract/index.ts";
import type { EndWrite } from "../db/leases/end.ts";
import { bansMachine, isReported } from "../domain/ends.ts";
import { banMs, heldIntervals } from "../domain/lease.ts";
import { newestProgress, type ToldProgress } from "../domain/progress.ts";
import { diedEarly, stalledInVain } from "../domain/retry.ts";
import type { LeaseRow } from "./lease-row.ts";
import type { SettleFacts } from "./protocol.ts";

/** The D1 batch that ends a held lease in this way. */
export function endWriteOf(
  row: LeaseRow,
  kind: AttemptEnd,
  opId: string,
  nowMs: number,
  facts: SettleFacts = {},
): EndWrite {
  const reported = isReported(kind);
  return {
    opId,
    kind,
    jobId: row.jobId,
    attempt: row.attempt,
    nowMs,
    machineId: row.machineId,
    heartbeatMs: reported ? nowMs : row.renewedMs,
    numHeartbeats: row.baseHeartbeats + heldIntervals(row),
    // Whoever reports has been there, even if its first renewal was lost.
    acknowledgedMs: row.acknowledgedMs ?? (reported ? nowMs : null),
    commandStartedMs: row.commandStartedMs,
    diedEarly: endedEarly(row, kind),
    banUntilMs: bansMachine(kind) ? nowMs + banMs : null,
    webhook: row.webhook,
    ...told(facts, row.hints?.progress ?? null, nowMs),
  };
}

/** Whether the end counts towards a quarantine, clears what counted before, or (null) neither. */
function endedEarly(row: LeaseRow, kind: AttemptEnd): boolean | null {
  if (kind === "interrupted") return diedEarly({ ...row, lastSeenMs: row.renewedMs ?? row.grantedMs });
  return kind === "stalled" ? stalledInVain(row) : null;
}

/** The batch that ends a job without a lease row: one that waits, that nobody has claimed, or whose row was lost. */
export function endWithoutLease(
  job: { jobId: string; attempt: number; machineId: string | null; webhook: boolean },
  kind: AttemptEnd,
  opId: string,
  nowMs: number,
  facts: SettleFacts = {},
): EndWrite {
  // Somebody who reports has been there; a cancel says nothing about the attempt.
  const seenMs = job.machineId === null ? null : nowMs;
  return {
    ...job,
    opId,
    kind,
    nowMs,
    heartbeatMs: seenMs,
    numHeartbeats: null,
    acknowledgedMs: seenMs,
    commandStartedMs: null,
    diedEarly: null,
    banUntilMs: bansMachine(kind) ? nowMs + banMs : null,
    ...told(facts, null, nowMs),
  };
}

function told(facts: SettleFacts, known: ToldProgress | null, nowMs: number) {
  return {
    exitCode: facts.exitCode ?? null,
    signal: facts.signal ?? null,
    cause: facts.cause ?? null,
    progress: newestProgress(known, facts.progress, nowMs),
    reason: facts.reason ?? null,
    bytesDownloaded: facts.bytesDownloaded ?? null,
    bytesUploaded: facts.bytesUploaded ?? null,
  };
}

/**
 * The row that bars grants while a job without a lease is being ended: one that nobody claimed (attempt 0), one that
 * waits, or one whose lease row was lost.
 */
export function barringRow(write: EndWrite): LeaseRow {
  return {
    jobId: write.jobId,
    attempt: write.attempt,
    phase: "ending",
    opId: write.opId,
    ending: write,
    claimId: null,
    machineId: write.machineId,
    instanceId: null,
    token: null,
    intervalMs: 0,
    termMs: 0,
    baseHeartbeats: 0,
    beats: 0,
    grantedMs: write.nowMs,
    expiresMs: write.nowMs,
    acknowledgedMs: write.acknowledgedMs,
    commandStartedMs: null,
    progress: 0,
    renewedMs: null,
    flushedMs: write.nowMs,
    extended: false,
    webhook: write.webhook,
    uploading: false,
  };
}
