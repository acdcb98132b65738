/**
 * The steps themselves, each begun by a mark on the rule (docs/autoscaling.md). All of this happens in a turn: nobody else decides on that group
 * meanwhile.
 */
import type { ScalingAction } from "../contract/index.ts";
import { openHold } from "../db/scaling/holds.ts";
import { beginStep, type Direction, revertStep } from "../db/scaling/steps.ts";
import type { Statement } from "../db/statement.ts";
import { decideScaling, isAtRest, type ScalingChoice, type ScalingFacts } from "../domain/scaling.ts";
import type { HoldNow } from "../group/protocol.ts";
import type { SaladAnswer, SaladGroup, SaladInstance } from "../salad/client.ts";
import { budgetSpent, mayBeMade } from "./budgeted-salad.ts";
import type { Decision } from "./decision.ts";
import { keyOf, placeOf, type Queue, why } from "./look.ts";
import type { SaladPort, ScalingGroup, ScalingPorts } from "./ports.ts";
import { named, type Settling, settle, settlingMs, staysUp } from "./settle.ts";

/** From choosing whom to take to asking Salad to. Crashed in between, idle nodes get jobs again after so long. */
const choosingMs = 180_000;
/** Who decides on a rule, in his turn. */
export interface Turn {
  ports: ScalingPorts;
  salad: SaladPort;
  group: ScalingGroup;
  operationId: string;
  queue: Queue;
}

/** By then an agent that can has raised its deletion cost for its new job. */
const raisedMs = 15_000;

/** What a step works with. */
export interface Standing extends Turn {
  salads: SaladGroup;
  facts: ScalingFacts;
  /** What follows from these facts. */
  choice: ScalingChoice;
  /** Whether the turn is still ours, for its whole length from now on. */
  keepTurn(): Promise<boolean>;
}

export interface Outcome {
  action: ScalingAction;
  wanted: number;
  replicasBefore: number;
  /** Null: nothing was changed, or nobody knows. */
  replicasAfter: number | null;
  reason: string;
  error: string | null;
  /** Salad was asked for a change, and nobody knows whether it will come about. */
  isOpen?: boolean;
  trouble?: NonNullable<Decision["trouble"]>;
  /** To be written with the decision. */
  beside: Statement[];
  busyNodes?: number;
  /** The hold of a step that was made: `settle` tells who may claim again. */
  made?: HoldNow;
}

/** More instances, or the first ones of a group that is stopped. */
export async function stepUp(standing: Standing): Promise<Outcome> {
  const { salad, queue, salads, choice } = standing;
  const { step, wanted, replicas, reason } = choice;
  const place = placeOf(queue.rule);
  const action = step === "start" ? "start" : "scale_up";
  const replicasBefore = step === "start" ? 0 : salads.replicas;
  const outcome = { action, wanted, replicasBefore, replicasAfter: replicas, reason, error: null } as const;
  const begun = await begin(standing, "up");
  if (begun === null) return overtaken(outcome);
  const revert = revertStep(queue.rule, "up", begun);
  // Another may have asked for more meanwhile: our number would take instances away, busy or not.
  if (!(await standing.keepTurn())) return { ...overtaken(outcome), beside: [revert] };
  const failed = (answer: Refused): Outcome =>
    answer === budgetSpent
      ? untried(outcome, [revert])
      : {
          ...outcome,
          replicasAfter: null,
          error: why(answer),
          isOpen: mayBeMade(answer),
          beside: mayBeMade(answer) ? [] : [revert],
        };

  let late = false;
  if (salads.replicas !== replicas) {
    const set = await mend(
      standing,
      await salad.setReplicas(place, replicas),
      (now) => now.replicas === replicas,
    );
    // Whether a stopped group takes a PATCH is not documented: then after its start.
    late = step === "start" && !set.ok && set.reason === "rejected" && set.status === 400;
    if (!set.ok && !late) return failed(set);
  }
  if (step === "start") {
    // Slow answers add up: somebody else may decide by now, who begins with a look.
    if (!(await standing.keepTurn())) return { ...overtaken(outcome), beside: [revert] };
    const started = await mend(standing, await salad.startGroup(place), (now) => !isAtRest(now.status));
    if (!started.ok) return failed(started);
    // Fewer are not asked for here: those who have come may have jobs by now. That is a step down, with all that it takes.
    if (late && replicas < salads.replicas) return { ...outcome, replicasAfter: salads.replicas, beside: [] };
    if (late) {
      const set = await mend(
        standing,
        await salad.setReplicas(place, replicas),
        (now) => now.replicas === replicas,
      );
      if (!set.ok) {
        const told = { error: why(set), isOpen: mayBeMade(set) };
        return { ...outcome, ...told, replicasAfter: salads.replicas, beside: [] };
      }
    }
  }
  return { ...outcome, beside: [] };
}

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
  const giveUp = async (error: string | null, beside: Statement[] = []): Promise<Outcome> => {
    await release();
    return { ...outcome, action: error === null ? "none" : "drain", error, beside };
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
    await release();
    const reason = `${outcome.reason}; a job has just begun, and SaladCloud does not tell whether its node is marked busy`;
    return { ...outcome, action: "none", reason, error: null, beside: [] };
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

/** What `settle` needs, of whoever has the turn. */
export const settlingOf = ({ ports, salad, group, queue }: Turn): Settling => ({
  ...{ salad, group },
  key: keyOf(queue.rule),
  place: placeOf(queue.rule),
  pending: queue.rule.pending,
  nowMs: ports.nowMs,
});

/**
 * Salad documents 0 for a cost that it leaves out. Where it tells none at all, nothing follows from that: they stay unknown.
 */
function costed(listed: readonly SaladInstance[]): (instance: SaladInstance) => SaladInstance {
  const tells = listed.some(({ deletionCost }) => deletionCost !== null);
  return (instance) => (tells ? { ...instance, deletionCost: instance.deletionCost ?? 0 } : instance);
}

/**
 * How many instances must stay so that Salad, who takes those of the lowest deletion cost, takes no busy one. A cost that is not told says
 * nothing.
 */
function spare(instances: readonly SaladInstance[], busy: ReadonlySet<string>, replicas: number): number {
  const costs = instances
    .filter(({ machineId, deletionCost }) => busy.has(machineId) && deletionCost !== null)
    .map(({ deletionCost }) => deletionCost ?? 0);
  const lowestBusy = Math.min(Number.POSITIVE_INFINITY, ...costs);
  const takable = instances.filter(
    ({ machineId, deletionCost }) => !busy.has(machineId) && (deletionCost ?? 0) < lowestBusy,
  );
  return Math.max(replicas, instances.length - takable.length);
}

/** When it began; null: the rule is gone, paused or changed. */
async function begin({ ports, queue }: Standing, direction: Direction): Promise<number | null> {
  const nowMs = ports.nowMs();
  const mark = beginStep(queue.rule, direction, nowMs);
  const [begun] = await ports.d1.batch(direction === "up" ? [mark] : [mark, openHold(queue.rule, nowMs)]);
  return begun && begun.length > 0 ? nowMs : null;
}

const overtaken = (outcome: Omit<Outcome, "beside">): Outcome => ({
  ...outcome,
  action: "none",
  replicasAfter: null,
  reason: "the rule was changed, or another decision was made, meanwhile",
  error: null,
  beside: [],
});

/** For want of requests nothing was asked of Salad: no failure, and the next look does it. */
const untried = (outcome: Omit<Outcome, "beside">, beside: Statement[] = []): Outcome => ({
  ...outcome,
  action: "none",
  replicasAfter: null,
  reason: budgetSpent.detail,
  error: null,
  trouble: "untried",
  beside,
});

type Refused = Extract<SaladAnswer<null>, { ok: false }>;

/**
 * A change that Salad did not confirm: the group itself tells whether it was made. A 400 may mean that it needs none; no answer may mean
 * anything.
 */
async function mend(
  { salad, queue }: Standing,
  answer: SaladAnswer<null>,
  isMade: (group: SaladGroup) => boolean,
): Promise<SaladAnswer<null>> {
  // Of a rejection it is not: a 400 may mean that it was done before.
  const isCertain = answer.ok || (answer.reason !== "rejected" && !mayBeMade(answer));
  if (isCertain) return answer;
  const now = await salad.getGroup(placeOf(queue.rule));
  return now.ok && isMade(now.value) ? { ok: true, value: null } : answer;
}
