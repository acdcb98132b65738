/** What is known of a rule at one moment, and what is to be done about it. Changes nothing. */
import type { D1Port } from "../db/d1-port.ts";
import { type EndedRecord, type QueueRecord, readEndedLatelyOf, readQueue } from "../db/scaling/queues.ts";
import type { RuleKey } from "../db/scaling/rules.ts";
import { decideScaling, type ScalingChoice, type ScalingFacts } from "../domain/scaling.ts";
import type { GroupKey } from "../group/protocol.ts";
import { unavailable } from "../salad/answer.ts";
import type { SaladGroup, SaladPlace, SaladRefusal } from "../salad/client.ts";
import { budgetSpent } from "./budgeted-salad.ts";
import type { SaladPort } from "./ports.ts";

/** A rule with its queue, as D1 had it. */
export interface Queue {
  rule: QueueRecord;
  ended: number;
}

/** Null: there is no such rule. */
export async function readQueueOf(d1: D1Port, key: GroupKey, nowMs: number): Promise<Queue | null> {
  const { userId, containerGroupId } = key;
  const [rules, ended] = (await d1.batch([
    readQueue(userId, containerGroupId),
    readEndedLatelyOf(userId, containerGroupId, nowMs),
  ])) as unknown as [QueueRecord[], EndedRecord[]];
  const [rule] = rules;
  return rule ? { rule, ended: ended[0]?.ended ?? 0 } : null;
}

export const keyOf = (rule: RuleKey): GroupKey => ({
  userId: rule.user_id,
  containerGroupId: rule.container_group_id,
});

/** Of a rule, or of what is kept of one. */
export const placeOf = (
  rule: Pick<QueueRecord, "org_name" | "project_name" | "container_group_name">,
): SaladPlace => ({
  organization: rule.org_name,
  project: rule.project_name,
  group: rule.container_group_name,
});

export type Looked =
  | { kind: "seen"; group: SaladGroup; facts: ScalingFacts; choice: ScalingChoice }
  /** By Salad's word. */
  | { kind: "gone"; why: string }
  /** Salad did not tell. */
  | { kind: "unknown"; refusal: SaladRefusal };

export async function look(salad: SaladPort, { rule, ended }: Queue, nowMs: number): Promise<Looked> {
  const place = placeOf(rule);
  const answer = await salad.getGroup(place);
  if (!answer.ok) {
    const isNotFound = answer.reason === "refused" && answer.status === 404;
    return isNotFound ? await isItGone(salad, rule) : { kind: "unknown", refusal: answer };
  }
  const group = answer.value;
  // Its name was given to another: that one is not this rule's to scale.
  if (group.id !== rule.container_group_id) {
    return { kind: "gone", why: "SaladCloud has another container group of that name" };
  }
  const facts = factsOf({ rule, ended }, group, nowMs);
  const choice = decideScaling(facts);
  if (choice.step !== "start" && choice.step !== "scale_up") return { kind: "seen", group, facts, choice };
  // Only who wants more asks what is left. Where it cannot be known, Salad's refusal will tell.
  const quota = await salad.readQuota(place.organization);
  if (!quota.ok) return { kind: "seen", group, facts, choice };
  // What the group has counts as used, also while it is stopped.
  const quotaReplicas = Math.max(0, quota.value.replicas - quota.value.used + group.replicas);
  const bounded = { ...facts, quotaReplicas };
  return { kind: "seen", group, facts: bounded, choice: decideScaling(bounded) };
}

/**
 * A 404 may as well mean that the key reaches no such organization, and a wrong key would have all rules removed. Gone is what the project's
 * list, which this key may read, lacks.
 */
async function isItGone(salad: SaladPort, rule: QueueRecord): Promise<Looked> {
  const listed = await salad.listGroups(placeOf(rule));
  if (!listed.ok) return { kind: "unknown", refusal: listed };
  if (!listed.value.some(({ id }) => id === rule.container_group_id))
    return { kind: "gone", why: "SaladCloud knows the container group no more" };
  return { kind: "unknown", refusal: unavailable("a 404 for a container group that it lists", 404) };
}

function factsOf({ rule, ended }: Queue, group: SaladGroup, nowMs: number): ScalingFacts {
  return {
    rule: {
      minReplicas: rule.min_replicas,
      maxReplicas: rule.max_replicas,
      jobsPerReplica: rule.jobs_per_replica,
      scaleUpCooldownMs: rule.scale_up_cooldown * 1000,
      scaleDownCooldownMs: rule.scale_down_cooldown * 1000,
      paused: rule.paused === 1,
      scaledUpMs: rule.scaled_up,
      scaledDownMs: rule.scaled_down,
      createdMs: rule.created,
    },
    jobs: { pending: rule.pending, running: rule.running, ended, arePaused: rule.queue_paused === 1 },
    group: { status: group.status, replicas: group.replicas },
    busyNodes: null,
    quotaReplicas: null,
    nowMs,
  };
}

/** Why Salad did not do or tell, in words. */
export function why(refusal: SaladRefusal): string {
  const { reason, status, detail } = refusal;
  const said = detail ?? (status === undefined ? reason : `status ${status}`);
  switch (reason) {
    case "refused":
      if (status === 401 || status === 403)
        return `the deployment's SALAD_API_KEY does not reach it: ${said}`;
      return status === undefined
        ? said
        : `SaladCloud knows no such thing, or none that SALAD_API_KEY reaches: ${said}`;
    case "rejected":
      return `SaladCloud refused: ${said}`;
    case "unavailable":
      if (refusal === budgetSpent) return `SaladCloud was not asked: ${said}`;
      if (status === 429) return "SaladCloud takes no more requests just now (429)";
      return `SaladCloud gave no answer to go by: ${said}`;
  }
}
