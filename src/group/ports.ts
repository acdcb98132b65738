/**
 * What the engine of a group needs from the world. The Durable Object gives it D1, its SQLite and its alarm; the
 * simulation gives it Node's SQLite, a virtual clock and faults.
 */
import type { RefusalReason } from "../contract/index.ts";
import type { D1Port } from "../db/d1-port.ts";
import type { SqlRecord } from "../db/job-record.ts";

export type SqlValue = string | number | null;

/** The object's own SQLite: synchronous. What one event writes without awaiting becomes durable together. */
export interface SqlPort {
  exec(sql: string, ...params: SqlValue[]): SqlRecord[];
}

export interface AlarmPort {
  set(atMs: number): void;
  clear(): void;
}

/**
 * The agents that keep a socket to the group (docs/sockets.md). Nothing but hints go through it: a lost one costs a poll,
 * or waits for the next renewal.
 */
export interface AgentsPort {
  /** So many jobs became available: wakes as many agents. Those of `lastMachineId` only if no other waits. */
  wake(count: number, lastMachineId?: string | null): void;
  /** D1 has ended this attempt of that machine; why, for people. */
  ended(lease: { jobId: string; attempt: number; machineId: string }, reason?: RefusalReason): void;
  /** This machine shall ask SaladCloud for its exchange; why, for people. */
  reallocate(machineId: string, reason: string): void;
}

/** Of what D1 has recorded for webhooks. A hint: whatever is due and nobody sends, the minute's cron does (docs/webhooks.md). */
export interface OutboxPort {
  /** The outbox may have news of this job. Does not wait for anything. */
  written(jobId: string): void;
}

/** One line per thing worth telling an operator; `event` is from a fixed list. */
export interface EngineEvent {
  severity: "info" | "warning" | "error";
  event:
    | "claim_unknown"
    | "end_unknown"
    | "intent_resolved"
    | "expiry_doubted"
    | "lease_adopted"
    | "lease_dropped"
    | "ban_lifted"
    | "job_quarantined"
    | "machine_told_to_go"
    | "machine_unjudged"
    | "alarm_failed";
  jobId?: string;
  attempt?: number;
  detail?: string;
}

export interface Ports {
  d1: D1Port;
  sql: SqlPort;
  alarm: AlarmPort;
  /** Absent: no agent has a socket. */
  agents?: AgentsPort;
  /** Absent: the cron alone sends. */
  outbox?: OutboxPort;
  nowMs(): number;
  /** A new operation id. */
  operationId(): string;
  /** A new lease token: 128 bits or more of randomness. */
  leaseToken(): string;
  log(event: EngineEvent): void;
}
