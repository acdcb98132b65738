/**
 * How many instances a container group shall have: a pure decision, its table in test/scaling/policy.test.ts. What makes a step safe
 * (grants withheld, leases counted) is src/scaling's; here `busyNodes` is the floor that it found.
 */

export interface ScalingBounds {
  minReplicas: number;
  maxReplicas: number;
  jobsPerReplica: number;
  scaleUpCooldownMs: number;
  scaleDownCooldownMs: number;
  paused: boolean;
  /** When a step in that direction was last begun; null: never. A start is one upwards, a stop one downwards. */
  scaledUpMs: number | null;
  scaledDownMs: number | null;
  /** Before a new rule gives anything up, its scale-down cooldown passes: who makes one may have work there that this queue knows nothing of. */
  createdMs: number;
}

/** Jobs of the queue; each may be cut at what `maxReplicas` could run. */
export interface ScalingJobs {
  pending: number;
  running: number;
  /** Ended within the rule's `idle_threshold_seconds`. */
  ended: number;
  /** The queue hands nothing out: an instance for a pending job would be paid for in vain. */
  arePaused: boolean;
}

/** The group as SaladCloud has it. */
export interface ScaledGroup {
  /** `pending`, `deploying`, `running`, `stopped`, `succeeded`, `failed`, or one that Salad has added since. */
  status: string;
  /** What was asked for, whether or not it runs: an instance that is allocated, downloads or is created is on its way. */
  replicas: number;
}

export interface ScalingFacts {
  rule: ScalingBounds;
  jobs: ScalingJobs;
  group: ScaledGroup;
  /** Nodes that hold a lease, final uploads included; null: not asked yet, a step downwards is a proposal. */
  busyNodes: number | null;
  /** Replicas that the organization's quota leaves to this group, those that it has included; null: not known. */
  quotaReplicas: number | null;
  nowMs: number;
}

/** `none`: everything stays as it is. */
export type ScalingStep = "none" | "scale_up" | "scale_down" | "start" | "stop";

export interface ScalingChoice {
  step: ScalingStep;
  /** What the queue asks for, within the rule's bounds and the quota. */
  wanted: number;
  /** What the group shall have after the step; of `none` what it has. */
  replicas: number;
  /** The quota leaves fewer than the queue asks for. */
  isShort: boolean;
  /** In words. */
  reason: string;
}

/** Whether nothing of a group of this status runs, nor will by itself. */
export const isAtRest = (status: string) => status === "stopped" || status === "succeeded";

/** Of a group at rest none, whatever it will have once it is started. */
export const replicasOf = ({ status, replicas }: ScaledGroup) => (isAtRest(status) ? 0 : replicas);

export function decideScaling(facts: ScalingFacts): ScalingChoice {
  const { rule, group } = facts;
  const { wanted, isShort, why } = wantedReplicas(facts);
  const has = replicasOf(group);
  const stay = (reason: string): ScalingChoice => ({ step: "none", wanted, replicas: has, isShort, reason });
  if (rule.paused) return stay("the rule is paused");
  if (group.status === "failed") return stay("SaladCloud could not prepare the group: its status is failed");
  const outlook = { wanted, isShort, has, why, stay };
  if (wanted > has) return upwards(facts, outlook);
  if (wanted < has || (wanted === 0 && !isAtRest(group.status))) return downwards(facts, outlook);
  return stay(isShort ? `${why}; the group has ${has}` : `${why}; the group has as many`);
}

interface Outlook {
  wanted: number;
  isShort: boolean;
  has: number;
  why: string;
  stay(reason: string): ScalingChoice;
}

function upwards({ rule, group, nowMs }: ScalingFacts, outlook: Outlook): ScalingChoice {
  const { wanted, isShort, has, why, stay } = outlook;
  const untilMs = (rule.scaledUpMs ?? Number.NEGATIVE_INFINITY) + rule.scaleUpCooldownMs;
  if (nowMs < untilMs)
    return stay(`${why}; ${secondsLeft(untilMs, nowMs)} of the scale-up cooldown are left`);
  if (isAtRest(group.status)) {
    return {
      step: "start",
      wanted,
      replicas: wanted,
      isShort,
      reason: `${why}; the group is ${group.status}`,
    };
  }
  return { step: "scale_up", wanted, replicas: wanted, isShort, reason: `${why}; the group has ${has}` };
}

function downwards(facts: ScalingFacts, outlook: Outlook): ScalingChoice {
  const { wanted, isShort, has, why, stay } = outlook;
  const { rule, nowMs } = facts;
  const lastMs = Math.max(
    rule.scaledUpMs ?? Number.NEGATIVE_INFINITY,
    rule.scaledDownMs ?? Number.NEGATIVE_INFINITY,
    rule.createdMs,
  );
  const untilMs = lastMs + rule.scaleDownCooldownMs;
  if (nowMs < untilMs) {
    return stay(`${why}; ${secondsLeft(untilMs, nowMs)} of the scale-down cooldown are left`);
  }
  const busy = facts.busyNodes ?? 0;
  const replicas = Math.max(wanted, busy);
  const nodes = busy === 1 ? "1 node is busy" : `${busy} nodes are busy`;
  if (replicas === 0) return { step: "stop", wanted, replicas, isShort, reason: why };
  if (replicas >= has) return stay(`${why}; the group has ${has}, and ${nodes}`);
  const because = busy > wanted ? `; ${nodes}` : "";
  return { step: "scale_down", wanted, replicas, isShort, reason: `${why}; the group has ${has}${because}` };
}

/** What the queue asks for, and that in words. */
function wantedReplicas({ rule, jobs, group, quotaReplicas }: ScalingFacts): {
  wanted: number;
  isShort: boolean;
  why: string;
} {
  const active = (jobs.arePaused ? 0 : jobs.pending) + jobs.running;
  const has = replicasOf(group);
  // A job that has ended keeps an instance for the next one; it is no reason for another one.
  const kept = Math.min(Math.ceil((active + jobs.ended) / rule.jobsPerReplica), has);
  const asked = Math.max(Math.ceil(active / rule.jobsPerReplica), kept);
  const bounded = Math.min(Math.max(asked, rule.minReplicas), rule.maxReplicas);
  const paused = jobs.arePaused ? " (the queue is paused)" : "";
  const queue = `${jobs.pending} pending${paused}, ${jobs.running} running, ${jobs.ended} ended lately`;
  const bound = bounded === asked ? "" : bounded > asked ? " (the minimum)" : " (the maximum)";
  // The quota is no reason to give up what is there.
  const room = quotaReplicas === null ? bounded : Math.max(quotaReplicas, has);
  if (room < bounded)
    return {
      wanted: room,
      isShort: true,
      why: `${queue}: wants ${bounded}${bound}, the quota leaves ${room}`,
    };
  return { wanted: bounded, isShort: false, why: `${queue}: wants ${bounded}${bound}` };
}

const secondsLeft = (untilMs: number, nowMs: number) => `${Math.ceil((untilMs - nowMs) / 1000)} s`;
