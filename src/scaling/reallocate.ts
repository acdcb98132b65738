/**
 * Machines that fail jobs and were told to go, but could not ask for it themselves (no metadata service reached): Salad is asked here, by the id of
 * the instance. Which those are, and how many in a day, the object of the group decides.
 */
import type { ScalingTrigger } from "../contract/index.ts";
import { type Decision, keep, tell } from "./decision.ts";
import { keyOf, placeOf, type Queue, why } from "./look.ts";
import type { SaladPort, ScalingPorts } from "./ports.ts";

/** Of one look. */
const mostAtOnce = 3;

export async function reallocateBad(
  ports: ScalingPorts,
  salad: SaladPort,
  { rule }: Queue,
  trigger: ScalingTrigger,
): Promise<void> {
  const { d1, group, nowMs, random } = ports;
  const key = keyOf(rule);
  const machines = group(key);
  const bad = await machines.badMachines(key);
  if (bad.length === 0) return;
  const listed = await salad.listInstances(placeOf(rule));
  if (!listed.ok) return;
  // By lot, so that those that cannot be exchanged at all keep no other from it, however seldom a rule is looked at.
  const from = Math.floor(random() * bad.length);
  for (const { machineId, reason } of [...bad.slice(from), ...bad.slice(0, from)].slice(0, mostAtOnce)) {
    const instance = listed.value.find((one) => one.machineId === machineId && one.state !== "stopping");
    const answer = instance ? await salad.reallocate(placeOf(rule), instance.id) : null;
    // By Salad's word: a gateway's 404 says nothing of it.
    const hasGone = answer === null || (!answer.ok && answer.reason === "refused" && answer.status === 404);
    if (hasGone || answer.ok) await machines.reallocated(key, machineId);
    // By itself.
    if (hasGone) continue;
    const decision: Decision = {
      atMs: nowMs(),
      trigger,
      action: "reallocate",
      inputs: { machine_id: machineId, ...(instance ? { instance_id: instance.id } : {}) },
      wanted: null,
      replicasBefore: null,
      replicasAfter: null,
      reason,
      error: answer.ok ? null : why(answer),
    };
    tell(ports, key, decision);
    await keep(d1, key, decision);
    // The others would be refused as well.
    if (!answer.ok && answer.status === 429) return;
  }
}
