import { DurableObject } from "cloudflare:workers";
import type { RuleKey } from "../db/scaling/rules.ts";
import type { RequestKind } from "../domain/request-budget.ts";
import { Desk } from "./desk.ts";
import type { BudgetPort, RoundsPort, RouteBudgetPort, SubmissionsPort, TurnsPort } from "./ports.ts";

type DeskPort = BudgetPort & RouteBudgetPort & SubmissionsPort & TurnsPort & RoundsPort;

/** The desk as a Durable Object: one of a deployment, which has one key. */
export class SaladDesk extends DurableObject<Env> implements DeskPort {
  readonly #desk: Desk;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    const { kv } = ctx.storage;
    this.#desk = new Desk(
      {
        get: (name) => kv.get(name),
        put: (name, value) => kv.put(name, value),
        delete: (name) => void kv.delete(name),
      },
      () => Date.now(),
    );
  }

  take(what: RequestKind) {
    return this.#desk.take(what);
  }

  mayLookFor(userId: string) {
    return this.#desk.mayLookFor(userId);
  }

  takeForRoute() {
    return this.#desk.takeForRoute();
  }

  exhausted() {
    return this.#desk.exhausted();
  }

  takeTurn(name: string, operationId: string) {
    return this.#desk.takeTurn(name, operationId);
  }

  endTurn(name: string, operationId: string, restMs?: number) {
    return this.#desk.endTurn(name, operationId, restMs);
  }

  lastRule() {
    return this.#desk.lastRule();
  }

  keepLastRule(rule: RuleKey | null) {
    return this.#desk.keepLastRule(rule);
  }
}

/** The desk of this deployment. */
export function deskOf(desks: Env["SALAD_DESK"]): DeskPort {
  const stub: unknown = desks.getByName("deployment");
  return stub as DeskPort;
}
