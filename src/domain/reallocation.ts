/**
 * When a machine had better be exchanged for another: not when jobs fail on it, but when they fail on it and do better elsewhere. Rationed, since
 * SaladCloud keeps a reallocated node away from the group for 48 h. Pure; docs/leases.md, "Bad machines".
 */

const minute = 60_000;
const hour = 60 * minute;

/** Failures older than this are not held against a machine. */
export const failuresCountMs = 24 * hour;
/** One job may have been unlucky, or elsewhere lucky. */
const jobsBetterElsewhere = 2;
/** Of one group: whatever we are wrong about, it does not take the fleet apart. */
const groupPauseMs = 10 * minute;
/** Of the machines seen in the last day, so many may be exchanged in one, but always one. */
const shareOfMachines = 0.1;
const shareWindowMs = 24 * hour;
/** So long SaladCloud keeps it away; one that is told before that did not go, or should not have come back. */
export const machinePauseMs = 48 * hour;
/** Reports that come so soon after are answered the same: the first answer may have been lost. */
export const repeatMs = 10 * minute;
/** One that was told so long ago and is still heard of cannot go by itself. */
export const patienceMs = 5 * minute;

/** A machine that was told to go, and when. */
export interface ToldToGo {
  machineId: string;
  toldMs: number;
}

export interface Suspect {
  machineId: string;
  /** Distinct jobs of the group that it has failed in the last day, without the one that it fails just now. */
  failedJobs: number;
  /** How many of these did better on another machine afterwards; null: not asked yet. */
  betterElsewhere: number | null;
  /** What the group was told within `machinePauseMs`, in any order. */
  told: readonly ToldToGo[];
  /** Machines that asked the group for work in the last day. */
  machinesSeen: number;
}

/**
 * - `reallocate`: tell it to go. `ask`: it depends on how its jobs went on.
 * - `too_few_failures`, `jobs_to_blame`: nothing speaks against it.
 * - `machine_told`, `group_told`, `share_told`: it might be bad, but that must wait.
 */
export type ReallocationVerdict =
  | "reallocate"
  | "ask"
  | "too_few_failures"
  | "jobs_to_blame"
  | "machine_told"
  | "group_told"
  | "share_told";

export function judgeMachine(suspect: Suspect, nowMs: number): ReallocationVerdict {
  const { machineId, failedJobs, betterElsewhere, told, machinesSeen } = suspect;
  if (failedJobs < jobsBetterElsewhere) return "too_few_failures";
  const within = (ms: number) => told.filter(({ toldMs }) => nowMs - toldMs < ms);
  if (within(machinePauseMs).some((one) => one.machineId === machineId)) return "machine_told";
  if (within(groupPauseMs).length > 0) return "group_told";
  const ration = Math.max(1, Math.floor(machinesSeen * shareOfMachines));
  if (within(shareWindowMs).length >= ration) return "share_told";
  if (betterElsewhere === null) return "ask";
  return betterElsewhere >= jobsBetterElsewhere ? "reallocate" : "jobs_to_blame";
}
