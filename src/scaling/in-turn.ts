/** What is done while nobody else decides on the group: everything is looked at again, since what was seen before may be over. */
import { limits, type ScalingTrigger } from "../contract/index.ts";
import type { HoldRecord } from "../db/scaling/holds.ts";
import type { QueueRecord } from "../db/scaling/queues.ts";
import { deleteRule } from "../db/scaling/rules.ts";
import { revertStep } from "../db/scaling/steps.ts";
import { isAtRest, replicasOf } from "../domain/scaling.ts";
import type { HoldNow } from "../group/protocol.ts";
import type { SaladGroup } from "../salad/client.ts";
import { type Decision, keep, tell } from "./decision.ts";
import { keyOf, type Looked, look, placeOf, readQueueOf } from "./look.ts";
import type { SaladPort, ScalingPorts } from "./ports.ts";
import { isDownwards, proposal, unchanged } from "./proposal.ts";
import { reallocateBad } from "./reallocate.ts";
import { settle } from "./settle.ts";
import { settlingOf, type Turn } from "./step.ts";
import { stepDown } from "./step-down.ts";
import { stepUp } from "./step-up.ts";
import { type HeldTurn, inTurn } from "./turn.ts";

export async function decideInTurn(
  ports: ScalingPorts,
  salad: SaladPort,
  proposed: Decision,
  { rule, trigger }: { rule: QueueRecord; trigger: ScalingTrigger },
): Promise<Decision> {
  const { d1, nowMs } = ports;
  const key = keyOf(rule);
  const decided = await inTurn(ports, placeOf(rule), async (held) => {
    const queue = await readQueueOf(d1, key, nowMs());
    if (queue === null) return { ...unchanged(proposed), reason: "the rule was removed" };
    const looked = await look(salad, queue, nowMs());
    const current = proposal(queue, looked, trigger, nowMs());
    if (looked.kind !== "seen") {
      const goes = looked.kind === "gone" ? [deleteRule(key.userId, key.containerGroupId)] : [];
      tell(ports, key, current);
      await keep(d1, key, current, goes);
      return current;
    }
    const turn: Turn = { ports, salad, group: ports.group(key), operationId: held.operationId, queue };
    const hold = await holdOf(turn);
    // Before any start: who is there now goes, and who comes then stays.
    const rests = isAtRest(looked.group.status);
    if (hold !== null && rests) await settle(settlingOf(turn), hold, 0);
    const seen = { ...looked, current, trigger, hold: rests ? null : hold };
    const { step } = looked.choice;
    // Else the hold would be renewed by each step that Salad does not carry out, and idle nodes would get no job meanwhile.
    const isUnclear = step === "scale_down" && (hold?.step ?? null) !== null;
    if (isUnclear) return { ...(await takeNoStep(turn, seen)), reason: unclearStep };
    const isNotIts = trigger === "submission" && isDownwards(step);
    return step === "none" || isNotIts ? await takeNoStep(turn, seen) : await takeStep(turn, held, seen);
  });
  return decided ?? { ...unchanged(proposed), reason: notOurTurn };
}

interface Seen extends Extract<Looked, { kind: "seen" }> {
  current: Decision;
  trigger: ScalingTrigger;
  /** Of an earlier step down, whose outcome is not settled yet. */
  hold: HoldNow | null;
}

/** The hold of an earlier step down; null: there is none. */
async function holdOf({ ports, group, queue: { rule } }: Turn): Promise<HoldNow | null> {
  if (rule.hold_begun === null) return null;
  const hold = await group.grantHold(keyOf(rule));
  // Whoever began that step died before he asked Salad: no cooldown follows. It was due, so that of the step before is over.
  if (hold?.step === null) {
    await ports.d1.batch([revertStep({ ...rule, scaled_down: null }, "down", rule.hold_begun)]);
  }
  return hold;
}

async function takeNoStep(turn: Turn, { group, current, trigger, hold }: Seen): Promise<Decision> {
  if (hold !== null) await settle(settlingOf(turn), hold, group.replicas);
  await exchangeBad(turn, group, trigger);
  return unchanged(current);
}

async function takeStep(turn: Turn, held: HeldTurn, seen: Seen): Promise<Decision> {
  const { group, facts, choice, current, trigger, hold } = seen;
  const { ports, queue } = turn;
  const isDown = isDownwards(choice.step);
  const act = isDown ? stepDown : stepUp;
  // Until it tells: if it fails in the middle, nobody knows what Salad has been asked.
  held.isOpen = true;
  const standing = { ...turn, keepTurn: held.keep, salads: group, facts, choice };
  const { beside, busyNodes, made, isOpen, ...outcome } = await act(standing);
  held.isOpen = isOpen ?? false;
  const decision: Decision = {
    ...current,
    ...outcome,
    inputs: { ...current.inputs, ...(busyNodes === undefined ? {} : { busy_nodes: busyNodes }) },
  };
  const key = keyOf(queue.rule);
  tell(ports, key, decision);
  await keep(ports.d1, key, decision, beside);
  if (made) await settle(settlingOf(turn), made, made.step?.replicas ?? 0);
  // Those whom an earlier step was about to take may be kept now.
  if (!isDown && hold !== null) {
    await settle(settlingOf(turn), hold, outcome.replicasAfter ?? group.replicas);
  }
  // A step may be due in each look and come to nothing in each: machines that fail jobs do not wait for it. But they may be among those that go.
  const areGoing = isDown && (made !== undefined || held.isOpen);
  if (!areGoing) await exchangeBad(turn, group, trigger);
  return decision;
}

async function exchangeBad({ ports, salad, queue }: Turn, group: SaladGroup, trigger: ScalingTrigger) {
  if (mayExchange(queue.rule, group, trigger)) await reallocateBad(ports, salad, queue, trigger);
}

const notOurTurn =
  "another decision on this group is being made, or it is not clear yet what became of the last one";
const unclearStep = "until this look it was not clear what became of the last step down";

/** Whether there may be machines to exchange. Who submits a job waits for none, and of a paused rule nothing is changed. */
export const mayExchange = (rule: QueueRecord, { status, replicas }: SaladGroup, trigger: ScalingTrigger) =>
  rule.paused === 0 && trigger !== "submission" && !isAtRest(status) && replicas > 0;

/** A step down whose rule was paused or removed since: who stays may claim again all the same. */
export async function settleWithoutRule(
  ports: ScalingPorts,
  salad: SaladPort,
  record: HoldRecord,
  hold: HoldNow,
): Promise<Pick<Decision, "trouble">> {
  const key = keyOf(record);
  const place = placeOf(record);
  const settled = await inTurn(ports, place, async () => {
    const group = await salad.getGroup(place);
    if (!group.ok) return group.reason === "unavailable" ? ({ trouble: "unanswered" } as const) : {};
    if (group.value.id !== record.container_group_id) return {};
    const settling = {
      salad,
      key,
      place,
      group: ports.group(key),
      pending: limits.replicas,
      nowMs: ports.nowMs,
    };
    await settle(settling, hold, replicasOf(group.value));
    return {};
  });
  return settled ?? {};
}
