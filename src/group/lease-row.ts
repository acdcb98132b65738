/** One lease, and how the object's SQLite has it. */
import type { SqlRecord } from "../db/job-record.ts";
import type { EndWrite } from "../db/leases/end.ts";
import type { ToldProgress } from "../domain/progress.ts";
import type { SqlValue } from "./ports.ts";

export type Phase = "claiming" | "held" | "ending";

export interface LeaseRow {
  jobId: string;
  attempt: number;
  phase: Phase;
  /** The operation whose intent stands open, or the last one that was resolved. */
  opId: string;
  /** The batch to repeat until D1's word is known; only while `ending`. */
  ending: EndWrite | null;
  claimId: string | null;
  machineId: string | null;
  instanceId: string | null;
  token: string | null;
  intervalMs: number;
  termMs: number;
  /** `num_heartbeats` of the attempts before this one. */
  baseHeartbeats: number;
  beats: number;
  grantedMs: number;
  expiresMs: number;
  acknowledgedMs: number | null;
  renewedMs: number | null;
  flushedMs: number;
  /** First renewal that told that the command runs; null: none did. */
  commandStartedMs: number | null;
  /** Checkpoints or steps that the attempt has told of. */
  progress: number;
  /** Its expiry was doubted and put off once; a renewal forgets that. */
  extended: boolean;
  /** The job has a webhook; null in a row from before this was kept: not known. */
  webhook: boolean | null;
  /** The holder has told that the command has ended and final uploads go on. */
  uploading: boolean;
  /** Not stored. Absent: its holder has not been heard in this life of the object. */
  hints?: Hints;
}

/** What renewals tell beside the renewal: only this life of the object knows it, and may forget it. */
export interface Hints {
  /** The newest that the command told of itself in this attempt. */
  progress: ToldProgress | null;
}

/** In the order of `valuesOf`. */
export const leaseColumns = `job_id, attempt, phase, op_id, ending, claim_id, machine_id, instance_id, token, interval_ms, term_ms,
  base_heartbeats, beats, granted_ms, expires_ms, acknowledged_ms, renewed_ms, flushed_ms,
  command_started_ms, progress, extended, webhook, uploading`;

export function valuesOf(row: LeaseRow): SqlValue[] {
  return [
    row.jobId,
    row.attempt,
    row.phase,
    row.opId,
    row.ending === null ? null : JSON.stringify(row.ending),
    row.claimId,
    row.machineId,
    row.instanceId,
    row.token,
    row.intervalMs,
    row.termMs,
    row.baseHeartbeats,
    row.beats,
    row.grantedMs,
    row.expiresMs,
    row.acknowledgedMs,
    row.renewedMs,
    row.flushedMs,
    row.commandStartedMs,
    row.progress,
    row.extended ? 1 : 0,
    row.webhook === null ? null : Number(row.webhook),
    row.uploading ? 1 : 0,
  ];
}

export function leaseFromRecord(record: SqlRecord): LeaseRow {
  return {
    jobId: record.job_id as string,
    attempt: record.attempt as number,
    phase: record.phase as Phase,
    opId: record.op_id as string,
    ending: record.ending === null ? null : (JSON.parse(record.ending as string) as EndWrite),
    claimId: record.claim_id as string | null,
    machineId: record.machine_id as string | null,
    instanceId: record.instance_id as string | null,
    token: record.token as string | null,
    intervalMs: record.interval_ms as number,
    termMs: record.term_ms as number,
    baseHeartbeats: record.base_heartbeats as number,
    beats: record.beats as number,
    grantedMs: record.granted_ms as number,
    expiresMs: record.expires_ms as number,
    acknowledgedMs: record.acknowledged_ms as number | null,
    renewedMs: record.renewed_ms as number | null,
    commandStartedMs: record.command_started_ms as number | null,
    progress: record.progress as number,
    flushedMs: record.flushed_ms as number,
    extended: record.extended === 1,
    webhook: record.webhook === null ? null : record.webhook === 1,
    uploading: record.uploading === 1,
  };
}
