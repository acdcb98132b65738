/**
 * What a container group's Durable Object answers, method by method. Plain data: custom errors do not survive
 * RPC, so every expected outcome is a value. A thrown error means a broken invariant.
 */
import type { AgentState, AttemptCause, NodeFacts, Progress, RefusalReason } from "../contract/index.ts";
import type { JobRow } from "../db/schema.ts";
import type { ReportedEnd } from "../domain/ends.ts";
import type { ToldProgress } from "../domain/progress.ts";

/** Which queue: sent with every call, since an object does not learn its own name from its id. */
export interface GroupKey {
  userId: string;
  containerGroupId: string;
}

/** The caller as the lease sees it. Our agent has both attempt and token; old workers neither. */
export interface HolderClaim {
  machineId: string;
  attempt?: number;
  leaseToken?: string;
}

export interface ClaimRequest {
  machineId: string;
  instanceId?: string;
  /** Present: idempotent claim with a token and a provisional lease. Absent: an old worker. */
  claimId?: string;
  /** What the agent tells of itself and its node, kept on the attempt. */
  node?: Partial<NodeFacts>;
}

/** D1 could not be asked, or its answer stayed unknown: ask again. */
export interface Unavailable {
  ok: false;
  reason: "unavailable";
}

export type ClaimAnswer =
  | { ok: true; job: JobRow; lease: { token: string; seconds: number } | null }
  | { ok: true; job: null }
  | Unavailable;

/** One lease to renew, and how its attempt gets on. */
export interface Renewal {
  jobId: string;
  attempt?: number;
  leaseToken?: string;
  /** The command runs. */
  commandStarted?: boolean;
  /** Checkpoints or steps of this attempt so far. */
  progress?: number;
  /** The newest that the command told of itself; absent or null: nothing new. A hint: kept in memory. */
  progressReport?: Progress | null;
  /** The command has ended and final uploads go on; absent: as told before. */
  uploading?: boolean;
}

export type RenewAnswer =
  | { status: "running"; leaseSeconds: number }
  | { status: "canceled"; reason: RefusalReason }
  /** A job that nobody ever claimed: an old client's heartbeat for it changes nothing. */
  | { status: "pending" }
  /** No such job in this group. */
  | { status: "unknown" }
  | { status: "unavailable" };

export type SettleKind = ReportedEnd;

export interface SettleFacts {
  exitCode?: number | null;
  signal?: string | null;
  cause?: AttemptCause | null;
  /** The last that the command told of itself. */
  progress?: Progress | null;
  reason?: string | null;
  bytesDownloaded?: number | null;
  bytesUploaded?: number | null;
}

export type SettleAnswer =
  /**
   * `repeat`: this very end had been recorded before; nothing changed. `reallocate`: the machine had better be exchanged, and why
   * (reallocate.ts).
   */
  { ok: true; repeat: boolean; reallocate?: string } | { ok: false; reason: RefusalReason } | Unavailable;

export type CancelAnswer = { ok: true } | { ok: false; reason: RefusalReason } | Unavailable;
export type PurgeAnswer = { ok: true; count: number } | Unavailable;

/** Live values of a held lease, newer than D1's. */
export interface LiveLease {
  attempt: number;
  /** Milliseconds since the epoch. */
  heartbeat: number;
  numHeartbeats: number;
  /** The newest of this attempt that this life of the object was told; null: D1 may know an earlier one. */
  progress: ToldProgress | null;
}

/** A running job as the cron sweep read it from D1. */
export interface RunningJob {
  id: string;
  attempt: number;
  machineId: string | null;
  heartbeatIntervalSeconds: number;
}

/** What a reconcile found and mended. */
export interface Mended {
  adopted: string[];
  dropped: string[];
}

/** A socket to the group, as people may know of it. */
export interface SocketSeen {
  machineId: string;
  instanceId: string | null;
  /** When it last said anything, pings included. */
  seenMs: number;
  /** It wants to be woken, or has just been. */
  waits: boolean;
  /** Its machine shall claim no more. */
  drained: boolean;
}

/** An agent that was heard of lately: a machine's instance, or all of a machine's that name none. */
export interface AgentStatus {
  machineId: string;
  instanceId: string | null;
  seenMs: number;
  state: AgentState;
  sockets: number;
  /** Whether it may have jobs with managed storage. */
  knowsManaged: boolean;
  jobs: HeldJob[];
}

/** A job whose lease an agent holds. */
export interface HeldJob {
  jobId: string;
  attempt: number;
  /** Its command has ended and final uploads go on: whoever takes its node away loses what is all but done. */
  uploading: boolean;
}

/** What the object knows that D1 does not. */
export interface GroupNow {
  /** Polls before are not known: a life of the object began then. */
  watchedSinceMs: number;
  nowMs: number;
  /** At most 1,000, the ones heard of last first. */
  agents: AgentStatus[];
}

/** An instance that SaladCloud takes away. */
export interface DoomedInstance {
  machineId: string;
  instanceId: string;
}

/** What a hold on grants is for. */
export interface HeldStep {
  /** What SaladCloud is asked for; 0: a stop. */
  replicas: number;
  /** Who was there before it was asked. */
  instances: DoomedInstance[];
}

/** As the object has kept it. */
export interface AskedStep extends HeldStep {
  /** When the object was told of it, which is just before SaladCloud is asked. */
  askedMs: number;
}

export interface HoldNow {
  operationId: string;
  /** Null: nothing has been asked of SaladCloud yet. */
  step: AskedStep | null;
}

export type HoldAnswer =
  /**
   * `busyMachineIds`: those with a lease, or with a claim or an end that D1 has not confirmed yet. `unnamed`: such leases whose machine is not known.
   * `lastGrantMsAgo`: since the newest of these leases was granted; null: there is none. `step`: an earlier step's, whose outcome nobody has seen yet; the hold goes on for it. Null: there is none.
   */
  | {
      ok: true;
      busyMachineIds: string[];
      unnamed: number;
      lastGrantMsAgo: number | null;
      step: AskedStep | null;
    }
  /** There was a step to be told, and the hold is not that operation's any more. */
  | { ok: false };

/** What became of jobs that were added, or that may be handed out again. */
export interface AddedAnswer {
  /** No agent that could take them was heard of lately. Of submissions told once in a while only. */
  unattended: boolean;
}

/** A machine that was told to go at least 5 minutes before it was last heard of. It may run jobs, but uploads none's last files. */
export interface BadMachine {
  machineId: string;
  /** For people. */
  reason: string;
}

export interface GroupApi {
  claim(key: GroupKey, request: ClaimRequest): Promise<ClaimAnswer>;
  /** In request order. */
  renew(key: GroupKey, machineId: string, leases: Renewal[]): Promise<RenewAnswer[]>;
  settle(
    key: GroupKey,
    jobId: string,
    kind: SettleKind,
    holder: HolderClaim,
    facts: SettleFacts,
  ): Promise<SettleAnswer>;
  cancel(key: GroupKey, jobId: string): Promise<CancelAnswer>;
  /** Removes the pending jobs and cancels the running ones that exist now. */
  purge(key: GroupKey): Promise<PurgeAnswer>;
  live(key: GroupKey, jobId: string): Promise<LiveLease | null>;
  /**
   * Jobs were added: the highest priority among them, and how many they are (default 1). A hint: losing it delays a
   * claim's view by 2 s at most, and leaves waiting agents to their next poll.
   */
  jobsAdded(key: GroupKey, priority: number, count?: number): Promise<AddedAnswer>;
  /** D1 hands out nothing of this group from now on. A hint, as is the next: the claim's fence decides. */
  paused(key: GroupKey): Promise<void>;
  /** It does again: so many jobs could be handed out, wakes as many agents. */
  resumed(key: GroupKey, available: number): Promise<AddedAnswer>;
  /** Who is there. Writes nothing, asks D1 nothing. */
  status(key: GroupKey): Promise<GroupNow>;
  /**
   * From this answer until `untilMs` (half an hour at most) no machine without a lease gets one: whatever SaladCloud takes away of those that have
   * none, no attempt is lost. `step`: what SaladCloud is about to be asked; only if the hold is this operation's already.
   */
  holdGrants(key: GroupKey, operationId: string, untilMs: number, step?: HeldStep): Promise<HoldAnswer>;
  /** The hold that lasts; null: there is none. */
  grantHold(key: GroupKey): Promise<HoldNow | null>;
  /**
   * The others may claim again, and as many are woken as there are pending jobs; these get no lease until then. False: the hold is over, or another
   * operation's.
   */
  narrowHold(
    key: GroupKey,
    operationId: string,
    doomed: { instances: DoomedInstance[]; untilMs: number },
    pending: number,
  ): Promise<boolean>;
  reconcile(key: GroupKey, running: RunningJob[]): Promise<Mended>;
  /** Machines that were told to go and are still here: to be exchanged through the Salad API. Asks D1 nothing. */
  badMachines(key: GroupKey): Promise<BadMachine[]>;
  /** That has been done for this one: `badMachines` names it no more. */
  reallocated(key: GroupKey, machineId: string): Promise<void>;
}

/** What the group tells its agents over their sockets. Both answer how many sockets were told. */
export interface AgentsApi {
  /** These machines shall claim no more; also after their sockets come back, until `resume`, for a day at most. */
  drain(machineIds: string[]): Promise<number>;
  resume(machineIds: string[]): Promise<number>;
}
