/**
 * The original's way of scaling, to compare with (its contract, section 5): every five minutes, jobs pending, running or ended within the idle
 * threshold, each a replica, within the rule's bounds; 0 stops the group. Nothing is withheld, nothing cools down, nobody is asked.
 */
import type { SaladPlace } from "../../../src/salad/client.ts";
import type { SaladPort } from "../../../src/scaling/ports.ts";
import { minute } from "../scenario.ts";

export const everyMs = 5 * minute;

export interface KelpieRule {
  minReplicas: number;
  maxReplicas: number;
}

export async function scaleAsKelpie(
  salad: SaladPort,
  place: SaladPlace,
  rule: KelpieRule,
  count: number,
): Promise<void> {
  const wanted = Math.min(Math.max(count, rule.minReplicas), rule.maxReplicas);
  const group = await salad.getGroup(place);
  if (!group.ok) return;
  const isStopped = group.value.status === "stopped";
  if (wanted === 0) {
    if (!isStopped) await salad.stopGroup(place);
    return;
  }
  if (isStopped) await salad.startGroup(place);
  if (group.value.replicas !== wanted) await salad.setReplicas(place, wanted);
}
