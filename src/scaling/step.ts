/** What steps up and down have in common: what they work with, their mark on the rule, their outcome, and whether Salad has done what it was asked. */
import type { ScalingAction } from "../contract/index.ts";
import { openHold } from "../db/scaling/holds.ts";
import { beginStep, type Direction } from "../db/scaling/steps.ts";
import type { Statement } from "../db/statement.ts";
import type { ScalingChoice, ScalingFacts } from "../domain/scaling.ts";
import type { HoldNow } from "../group/protocol.ts";
import type { SaladAnswer, SaladGroup } from "../salad/client.ts";
import { budgetSpent, mayBeMade } from "./budgeted-salad.ts";
import type { Decision } from "./decision.ts";
import { keyOf, placeOf, type Queue } from "./look.ts";
import type { SaladPort, ScalingGroup, ScalingPorts } from "./ports.ts";
import type { Settling } from "./settle.ts";

/** Who decides on a rule, in his turn. */
export interface Turn {
  ports: ScalingPorts;
  salad: SaladPort;
  group: ScalingGroup;
  operationId: string;
  queue: Queue;
}

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

/** What `settle` needs, of whoever has the turn. */
export const settlingOf = ({ ports, salad, group, queue }: Turn): Settling => ({
  ...{ salad, group },
  key: keyOf(queue.rule),
  place: placeOf(queue.rule),
  pending: queue.rule.pending,
  nowMs: ports.nowMs,
});

/** When it began; null: the rule is gone, paused or changed. */
export async function begin({ ports, queue }: Standing, direction: Direction): Promise<number | null> {
  const nowMs = ports.nowMs();
  const mark = beginStep(queue.rule, direction, nowMs);
  const [begun] = await ports.d1.batch(direction === "up" ? [mark] : [mark, openHold(queue.rule, nowMs)]);
  return begun && begun.length > 0 ? nowMs : null;
}

export const overtaken = (outcome: Omit<Outcome, "beside">): Outcome => ({
  ...outcome,
  action: "none",
  replicasAfter: null,
  reason: "the rule was changed, or another decision was made, meanwhile",
  error: null,
  beside: [],
});

/** For want of requests nothing was asked of Salad: no failure, and the next look does it. */
export const untried = (outcome: Omit<Outcome, "beside">, beside: Statement[] = []): Outcome => ({
  ...outcome,
  action: "none",
  replicasAfter: null,
  reason: budgetSpent.detail,
  error: null,
  trouble: "untried",
  beside,
});

/**
 * A change that Salad did not confirm: the group itself tells whether it was made. A 400 may mean that it needs none; no answer may mean
 * anything.
 */
export async function mend(
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
