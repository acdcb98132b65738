/** What became of a step down: as soon as that is clear, those who stay may claim again, and those who go may not (docs/autoscaling.md). */
import type { GroupKey, HoldNow } from "../group/protocol.ts";
import type { SaladInstance, SaladPlace } from "../salad/client.ts";
import type { SaladPort, ScalingGroup } from "./ports.ts";

/** How long Salad may take to end the instances that it takes away; those are given no job until then. */
export const settlingMs = 15 * 60_000;
/** What was asked of Salad, answered or not, may still come about for so long. */
export const underWayMs = 30_000;

export interface Settling {
  salad: SaladPort;
  group: ScalingGroup;
  key: GroupKey;
  place: SaladPlace;
  /** As many agents as that are woken, when they may claim again. */
  pending: number;
  nowMs(): number;
}

/** `replicas`: what the group shall have now, by Salad's word; 0: it is at rest. What is not clear yet is left to the next look. */
export async function settle(settling: Settling, hold: HoldNow, replicas: number): Promise<void> {
  const { step } = hold;
  // Nothing was asked, and whoever was about to has lost his turn.
  if (step === null) return await narrow(settling, hold, []);
  const listed = await settling.salad.listInstances(settling.place);
  if (replicas === 0) {
    // All are going. Who was there is known without a list.
    return await narrow(settling, hold, [...step.instances, ...(listed.ok ? listed.value.map(named) : [])]);
  }
  if (!listed.ok) return;
  const left = listed.value.filter(staysUp);
  const isShown = left.length <= step.replicas;
  // Or it will not come about: it was refused, or lost, or more is asked for by now.
  const isOver = settling.nowMs() >= step.askedMs + underWayMs && left.length <= replicas;
  if (!isShown && !isOver) return;
  const stays = new Set(left.map(({ id }) => id));
  const going = [...step.instances, ...listed.value.map(named)].filter(
    ({ instanceId }) => !stays.has(instanceId),
  );
  await narrow(settling, hold, going);
}

async function narrow(
  { group, key, pending, nowMs }: Settling,
  { operationId }: HoldNow,
  going: ReturnType<typeof named>[],
): Promise<void> {
  const instances = [...new Map(going.map((instance) => [instance.instanceId, instance])).values()];
  await group.narrowHold(key, operationId, { instances, untilMs: nowMs() + settlingMs }, pending);
}

export const named = ({ id, machineId }: SaladInstance) => ({ instanceId: id, machineId });

export const staysUp = ({ state }: SaladInstance) => state !== "stopping";
