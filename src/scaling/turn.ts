/** One decision at a time on a group of SaladCloud: whose turn it is, and whether it still is. */
import type { SaladPlace } from "../salad/client.ts";
import { turnMs } from "./desk.ts";
import type { ScalingPorts } from "./ports.ts";
import { underWayMs } from "./settle.ts";

export interface HeldTurn {
  operationId: string;
  /** Whether nobody else has had it since; then it is ours for its whole length from now on. */
  keep(): Promise<boolean>;
  /** A change that was asked of Salad may come about yet: nobody gets the turn before that is clear. */
  isOpen: boolean;
}

/** Does the work if the turn on that group is to be had. Null: it is not, and nothing was done. */
export async function inTurn<T>(
  { turns, operationId, nowMs, log }: ScalingPorts,
  { organization, project, group }: SaladPlace,
  work: (held: HeldTurn) => Promise<T>,
): Promise<T | null> {
  const name = JSON.stringify([organization, project, group]);
  const operation = operationId();
  let oursUntilMs = Number.POSITIVE_INFINITY;
  const keep = async () => {
    const askedMs = nowMs();
    // Another may have taken it, decided, and given it back.
    if (askedMs >= oursUntilMs || !(await turns.takeTurn(name, operation))) return false;
    oursUntilMs = askedMs + turnMs;
    return true;
  };
  if (!(await keep())) return null;
  const held: HeldTurn = { operationId: operation, keep, isOpen: false };
  try {
    return await work(held);
  } finally {
    // What was decided stands, and is told, all the same: the turn then ends by its time.
    await turns.endTurn(name, operation, held.isOpen ? underWayMs : 0).catch((error: unknown) => {
      log({ severity: "warning", event: "scaling_failed", detail: `the turn was not given back: ${error}` });
    });
  }
}
