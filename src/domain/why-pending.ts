/** Why pending jobs of a group are not handed out, as far as anybody can tell: for people (docs/operations.md). */
import type { AgentState, PendingCode } from "../contract/index.ts";

export interface Waiting {
  pausedSinceMs: number | null;
  /** Pending jobs that wait for their retry delay, and when the first is over. */
  delayed: number;
  nextAvailableMs: number | null;
  /** The job that is handed out next; null: none could be. */
  front: FrontJob | null;
  agents: readonly WaitingAgent[];
  /** For how long agents that only poll have been watched; they are expected to poll within `pollWindowMs`. */
  watchedMs: number;
  pollWindowMs: number;
  /** Null: the group has no scaling rule. */
  scaling: RuleSeen | null;
  nowMs: number;
}

/** What keeps a scaling rule from bringing agents. */
export interface RuleSeen {
  /** This deployment acts on rules. */
  isActive: boolean;
  isPaused: boolean;
  /** Of the last decision in the history; null: nothing went wrong. */
  lastError: { atMs: number; error: string } | null;
}

/** The history tells what goes on failing once an hour. */
const errorStandsMs = 65 * 60_000;

export interface FrontJob {
  id: string;
  /** Uses managed storage, which old workers know nothing of. */
  managed: boolean;
  bans: readonly { machineId: string; untilMs: number }[];
}

export interface WaitingAgent {
  machineId: string;
  state: AgentState;
  /** It has asked with a claim id, or has a socket. */
  knowsManaged: boolean;
}

export interface Reason {
  code: PendingCode;
  message: string;
  jobId?: string;
  sinceMs?: number;
  untilMs?: number;
}

/** In the order in which they matter. Empty: nothing is in the way, or nothing waits. */
export function whyPending(waiting: Waiting): Reason[] {
  const { pausedSinceMs, delayed, nextAvailableMs, front } = waiting;
  const reasons: Reason[] = [];
  if (pausedSinceMs !== null && (front !== null || delayed > 0)) {
    reasons.push({ code: "paused", message: "the container group is paused", sinceMs: pausedSinceMs });
  }
  if (front !== null) {
    const itsReasons = whyFrontWaits(front, waiting);
    reasons.push(...itsReasons, ...(itsReasons.length > 0 ? whyNotScaled(waiting) : []));
  }
  if (delayed > 0) {
    const subject = delayed === 1 ? "1 job waits" : `${delayed} jobs wait`;
    reasons.push({
      code: "retry_delay",
      message: `${subject} for the retry delay after a failure`,
      ...(nextAvailableMs === null ? {} : { untilMs: nextAvailableMs }),
    });
  }
  return reasons;
}

/** Agents are wanting, and a rule should bring them. */
function whyNotScaled({ scaling, pausedSinceMs, nowMs }: Waiting): Reason[] {
  if (scaling === null || pausedSinceMs !== null) return [];
  const because = (message: string): Reason[] => [{ code: "not_scaled", message }];
  if (!scaling.isActive) return because("there is a scaling rule, but no SALAD_API_KEY to act on it");
  if (scaling.isPaused) return because("the group's scaling rule is paused");
  const { lastError } = scaling;
  if (lastError === null || nowMs - lastError.atMs > errorStandsMs) return [];
  return [{ code: "not_scaled", message: lastError.error, sinceMs: lastError.atMs }];
}

function whyFrontWaits(front: FrontJob, { agents, watchedMs, pollWindowMs }: Waiting): Reason[] {
  if (agents.length === 0) {
    const seconds = Math.round(Math.min(watchedMs, pollWindowMs) / 1000);
    const early = watchedMs < pollWindowMs ? "; nobody has watched for longer, look again in a while" : "";
    return [
      { code: "no_agent_seen", message: `no agent has asked for work in the last ${seconds} s${early}` },
    ];
  }
  const claiming = agents.filter(({ state }) => state !== "draining");
  if (claiming.length === 0) {
    const message =
      "all agents seen have been told to claim no more, or are held back while instances are given up";
    return [{ code: "agents_draining", message }];
  }
  const banned = (agent: WaitingAgent) => front.bans.some(({ machineId }) => machineId === agent.machineId);
  const tooOld = (agent: WaitingAgent) => front.managed && !agent.knowsManaged;
  const open = claiming.filter((agent) => !banned(agent) && !tooOld(agent));
  if (open.length > 0) {
    if (open.some(({ state }) => state !== "busy")) return [];
    const leaving = agents.length - claiming.length;
    const others = leaving === 0 ? "" : `; ${leaving} more may claim nothing just now`;
    return [{ code: "agents_busy", message: `all agents that may have the next job run others${others}` }];
  }
  const reasons: Reason[] = [];
  if (claiming.some(banned)) {
    const machines = new Set(claiming.map(({ machineId }) => machineId));
    const until = front.bans.filter(({ machineId }) => machines.has(machineId)).map(({ untilMs }) => untilMs);
    reasons.push({
      code: "agents_banned",
      message: claiming.every(banned)
        ? "the next job has failed, stalled or run out of time on every machine seen"
        : "the next job has failed, stalled or run out of time on the machines that could run it",
      jobId: front.id,
      untilMs: Math.min(...until),
    });
  }
  if (claiming.some(tooOld)) {
    reasons.push({
      code: "agents_too_old",
      message: "the next job uses managed storage, which old workers know nothing of",
      jobId: front.id,
    });
  }
  return reasons;
}
