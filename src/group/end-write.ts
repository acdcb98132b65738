import type { EndKind, EndWrite } from "../db/leases/end.ts";
import { banMs, heldIntervals } from "../domain/lease.ts";
import { diedEarly } from "../domain/retry.ts";
import type { LeaseRow } from "./lease-row.ts";
import type { SettleFacts } from "./protocol.ts";

/** The D1 batch that ends a held lease in this way. */
export function endWriteOf(
  row: LeaseRow,
  kind: EndKind,
  opId: string,
  nowMs: number,
  facts: SettleFacts = {},
): EndWrite {
  const reported = kind === "completed" || kind === "failed" || kind === "released";
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
    diedEarly:
      kind === "interrupted" ? diedEarly({ ...row, lastSeenMs: row.renewedMs ?? row.grantedMs }) : null,
    banUntilMs: kind === "failed" ? nowMs + banMs : null,
    webhook: row.webhook,
    ...told(facts),
  };
}

/** The batch that ends a job without a lease row: one that waits, that nobody has claimed, or whose row was lost. */
export function endWithoutLease(
  job: { jobId: string; attempt: number; machineId: string | null; webhook: boolean },
  kind: EndKind,
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
    banUntilMs: kind === "failed" ? nowMs + banMs : null,
    ...told(facts),
  };
}

function told(facts: SettleFacts) {
  return {
    exitCode: facts.exitCode ?? null,
    signal: facts.signal ?? null,
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
  };
}
