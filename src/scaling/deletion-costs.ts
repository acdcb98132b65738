/** Whom Salad would take: the lowest deletion cost goes first. */
import type { SaladInstance } from "../salad/client.ts";

/**
 * Salad documents 0 for a cost that it leaves out. Where it tells none at all, nothing follows from that: they stay unknown.
 */
export function costed(listed: readonly SaladInstance[]): (instance: SaladInstance) => SaladInstance {
  const tells = listed.some(({ deletionCost }) => deletionCost !== null);
  return (instance) => (tells ? { ...instance, deletionCost: instance.deletionCost ?? 0 } : instance);
}

/**
 * How many instances must stay so that Salad, who takes those of the lowest deletion cost, takes no busy one. A cost that is not told says
 * nothing.
 */
export function spare(
  instances: readonly SaladInstance[],
  busy: ReadonlySet<string>,
  replicas: number,
): number {
  const costs = instances
    .filter(({ machineId, deletionCost }) => busy.has(machineId) && deletionCost !== null)
    .map(({ deletionCost }) => deletionCost ?? 0);
  const lowestBusy = Math.min(Number.POSITIVE_INFINITY, ...costs);
  const takable = instances.filter(
    ({ machineId, deletionCost }) => !busy.has(machineId) && (deletionCost ?? 0) < lowestBusy,
  );
  return Math.max(replicas, instances.length - takable.length);
}
