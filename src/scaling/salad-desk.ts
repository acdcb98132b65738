import { DurableObject } from "cloudflare:workers";
import { Desk } from "./desk.ts";
import type { BudgetPort, TurnsPort } from "./ports.ts";

/** The desk as a Durable Object: one of a deployment, which has one key. */
export class SaladDesk extends DurableObject<Env> implements BudgetPort, TurnsPort {
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

  take(what: "look" | "act") {
    return this.#desk.take(what);
  }

  exhausted() {
    return this.#desk.exhausted();
  }

  takeTurn(name: string, operationId: string) {
    return this.#desk.takeTurn(name, operationId);
  }

  endTurn(name: string, operationId: string) {
    return this.#desk.endTurn(name, operationId);
  }
}

/** The desk of this deployment. */
export function deskOf(desks: Env["SALAD_DESK"]): BudgetPort & TurnsPort {
  const stub: unknown = desks.getByName("deployment");
  return stub as BudgetPort & TurnsPort;
}
