/**
 * What all who scale share, wherever they run: the budget of requests of the deployment's key, whose turn it is on which group, and where the
 * rounds over all rules have come to. Kept, so that neither an evicted isolate nor a deploy makes it forget.
 */
import type { RuleKey } from "../db/scaling/rules.ts";
import {
  newBudget,
  type RequestBudget,
  type RequestKind,
  refuseRequest,
  routes,
  submissionsOfOne,
  takeRequest,
} from "../domain/request-budget.ts";
import type { BudgetPort, RoundsPort, RouteBudgetPort, SubmissionsPort, TurnsPort } from "./ports.ts";

/** Far more than a decision takes: Salad's answers come within 10 s or not at all. Whoever is held up for longer finds his turn gone. */
export const turnMs = 120_000;

/** Users whose submissions are remembered: some 100 bytes each. */
const mostUsers = 10_000;

/** A Durable Object's `storage.kv`, or a map. */
export interface DeskStore {
  get(name: string): unknown;
  put(name: string, value: unknown): void;
  delete(name: string): void;
}

interface Turn {
  operationId: string;
  untilMs: number;
}

export class Desk implements BudgetPort, RouteBudgetPort, SubmissionsPort, TurnsPort, RoundsPort {
  readonly #store: DeskStore;
  readonly #nowMs: () => number;
  /** By user. In memory: what an evicted object forgets is a minute's worth. */
  readonly #submissions = new Map<string, RequestBudget>();

  constructor(store: DeskStore, nowMs: () => number) {
    this.#store = store;
    this.#nowMs = nowMs;
  }

  async take(what: RequestKind): Promise<{ ok: true } | { ok: false; waitMs: number }> {
    const taken = takeRequest(this.#budget(), what, this.#nowMs());
    if (!taken.ok) return taken;
    this.#store.put(budgetName, taken.budget);
    return { ok: true };
  }

  async mayLookFor(userId: string): Promise<boolean> {
    const nowMs = this.#nowMs();
    const budget = this.#submissions.get(userId) ?? newBudget(nowMs, submissionsOfOne);
    const taken = takeRequest(budget, "act", nowMs, submissionsOfOne);
    if (!taken.ok) return false;
    if (this.#submissions.size >= mostUsers) this.#submissions.clear();
    this.#submissions.set(userId, taken.budget);
    return true;
  }

  async takeForRoute(): Promise<{ ok: true } | { ok: false; waitMs: number }> {
    const left = await this.take("ask");
    if (left.ok) return left;
    const nowMs = this.#nowMs();
    const budget = (this.#store.get(routesName) as RequestBudget | undefined) ?? newBudget(nowMs, routes);
    const taken = takeRequest(budget, "act", nowMs, routes);
    if (!taken.ok) return { ok: false, waitMs: Math.min(left.waitMs, taken.waitMs) };
    this.#store.put(routesName, taken.budget);
    return { ok: true };
  }

  async exhausted(): Promise<void> {
    this.#store.put(budgetName, refuseRequest(this.#budget(), this.#nowMs()));
  }

  async takeTurn(name: string, operationId: string): Promise<boolean> {
    const nowMs = this.#nowMs();
    const current = this.#turn(name);
    if (current && current.operationId !== operationId && current.untilMs > nowMs) return false;
    this.#store.put(turnName(name), { operationId, untilMs: nowMs + turnMs } satisfies Turn);
    return true;
  }

  async endTurn(name: string, operationId: string, restMs = 0): Promise<void> {
    if (this.#turn(name)?.operationId !== operationId) return;
    if (restMs === 0) this.#store.delete(turnName(name));
    else this.#store.put(turnName(name), { operationId: "", untilMs: this.#nowMs() + restMs } satisfies Turn);
  }

  async lastRule(): Promise<RuleKey | null> {
    return (this.#store.get(lastRuleName) as RuleKey | undefined) ?? null;
  }

  async keepLastRule(rule: RuleKey | null): Promise<void> {
    if (rule === null) this.#store.delete(lastRuleName);
    else this.#store.put(lastRuleName, rule);
  }

  #budget(): RequestBudget {
    return (this.#store.get(budgetName) as RequestBudget | undefined) ?? newBudget(this.#nowMs());
  }

  #turn(name: string): Turn | undefined {
    return this.#store.get(turnName(name)) as Turn | undefined;
  }
}

const budgetName = "budget";
const routesName = "budget of the routes";
const lastRuleName = "last rule";
const turnName = (name: string) => `turn ${name}`;
