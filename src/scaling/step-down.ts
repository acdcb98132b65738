/** A step down, in a turn: nobody else decides on that group meanwhile. Why each part of it comes where it does: docs/autoscaling.md. */
import { revertStep } from "../db/scaling/steps.ts";
import { decideScaling, isAtRest } from "../domain/scaling.ts";
import { budgetSpent, mayBeMade } from "./budgeted-salad.ts";
import { costed, spare } from "./deletion-costs.ts";
import { keyOf, placeOf, why } from "./look.ts";
import { named, settle, settlingMs, staysUp } from "./settle.ts";
import { begin, mend, type Outcome, overtaken, type Standing, settlingOf, untried } from "./step.ts";

/** From choosing whom to take to asking Salad to. Crashed in between, idle nodes get jobs again after so long. */
const choosingMs = 180_000;
/** By then an agent that can has raised its deletion cost for its new job. */
const raisedMs = 15_000;

/** Fewer instances, or none: only such that hold no lease, and get none on the way out. */
export async function stepDown(standing: Standing): Promise<Outcome> {
  const { ports, salad, group, operationId, queue, salads } = standing;
  const key = keyOf(queue.rule);
  const place = placeOf(queue.rule);
  const held = await group.holdGrants(key, operationId, ports.nowMs() + choosingMs);
  if (!held.ok) throw new Error("a hold that was not to be renewed was refused");
  const busy = new Set(held.busyMachineIds);
  const busyNodes = busy.size + held.unnamed;
  const { step, wanted, replicas, reason } = decideScaling({ ...standing.facts, busyNodes });
  const outcome = { wanted, replicasBefore: salads.replicas, replicasAfter: null, reason, busyNodes };
  // Salad may still be carrying out an earlier step.
  const release = () => settle(settlingOf(standing), { operationId, step: held.step }, salads.replicas);
  const giveUp = async (error: string | null, because = reason): Promise<Outcome> => {
    await release();
    return { ...outcome, action: error === null ? "none" : "drain", reason: because, error, beside: [] };
  };
  if (step !== "scale_down" && step !== "stop") return await giveUp(null);

  const listed = await salad.listInstances(place);
  if (!listed.ok && listed === budgetSpent) {
    await release();
    return untried({ ...outcome, action: step, error: null });
  }
  if (!listed.ok) return await giveUp(why(listed));
  const before = listed.value.filter(staysUp).map(costed(listed.value));
  const isBlind = before.every(({ deletionCost }) => deletionCost === null);
  if (step === "scale_down" && isBlind && (held.lastGrantMsAgo ?? raisedMs) < raisedMs) {
    const blind = "a job has just begun, and SaladCloud does not tell whether its node is marked busy";
    return await giveUp(null, `${reason}; ${blind}`);
  }
  const target = step === "stop" ? 0 : spare(before, busy, replicas);
  if (step === "scale_down" && target >= salads.replicas) {
    return await giveUp(
      "the deletion costs of busy instances are no higher than those of idle ones, so SaladCloud could take them; an agent raises its own over its node's metadata service: do these reach theirs?",
    );
  }

  const begun = await begin(standing, "down");
  if (begun === null) {
    await release();
    return overtaken({ ...outcome, action: "none", error: null });
  }
  // From here on the hold outlasts a crash until Salad has done what it may have been asked.
  const untilMs = ports.nowMs() + settlingMs;
  const given = { replicas: target, instances: before.map(named) };
  const ours = (await standing.keepTurn()) && (await group.holdGrants(key, operationId, untilMs, given)).ok;
  const revert = revertStep(queue.rule, "down", begun);
  if (!ours) {
    await release();
    return { ...overtaken({ ...outcome, action: "none", error: null }), beside: [revert] };
  }
  const asked = step === "stop" ? await salad.stopGroup(place) : await salad.setReplicas(place, target);
  const done = await mend(standing, asked, (now) =>
    step === "stop" ? isAtRest(now.status) : now.replicas === target,
  );
  if (done.ok) {
    const made = { operationId, step: { ...given, askedMs: ports.nowMs() } };
    return { ...outcome, action: step, replicasAfter: target, error: null, beside: [], made };
  }
  // Asked and not answered: it may come about yet. The hold stays, and the next passes see what became of it.
  if (mayBeMade(done)) return { ...outcome, action: step, error: why(done), isOpen: true, beside: [] };
  await release();
  if (done === budgetSpent) return untried({ ...outcome, action: step, error: null }, [revert]);
  return { ...outcome, action: step, error: why(done), beside: [revert] };
}
