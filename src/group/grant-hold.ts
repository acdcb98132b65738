/**
 * While the autoscaler takes instances away, who may be among them gets no new lease (docs/autoscaling.md): every machine without one while
 * Salad chooses, and then those that it has chosen. Kept in the object's SQLite, since a deploy must not lift it; each hold ends by
 * itself, since whoever set it may have died.
 */
import type { SqlPort } from "./ports.ts";
import type { AskedStep, DoomedInstance, HeldStep, HoldNow } from "./protocol.ts";

/** Longer than any stop of Salad's takes to spread; a hold that nobody lifts costs idle nodes no more than this. */
const maxHoldMs = 30 * 60_000;
/** A group has 500 instances at most; some go twice within a hold's time. */
const maxDoomed = 1_000;

/** Everybody without a lease, as long as it lasts. */
interface Choosing extends HoldNow {
  untilMs: number;
}

interface Doomed extends DoomedInstance {
  untilMs: number;
}

interface Held {
  choosing: Choosing | null;
  doomed: Doomed[];
}

const nobody: Held = { choosing: null, doomed: [] };

const askedAt = ({ replicas, instances }: HeldStep, nowMs: number): AskedStep => ({
  replicas,
  instances: instances.slice(0, maxDoomed),
  askedMs: nowMs,
});

export class GrantHold {
  readonly #sql: SqlPort;
  #held: Held;

  constructor(sql: SqlPort) {
    this.#sql = sql;
    sql.exec(
      "CREATE TABLE IF NOT EXISTS grant_hold (only_row INTEGER PRIMARY KEY CHECK (only_row = 1), held TEXT NOT NULL)",
    );
    const kept = sql.exec("SELECT held FROM grant_hold")[0]?.held;
    this.#held = kept === undefined ? nobody : (JSON.parse(kept as string) as Held);
  }

  /** Whether anybody is held: the claims' quick way past. */
  isOn(nowMs: number): boolean {
    const { choosing, doomed } = this.#held;
    return (choosing !== null && choosing.untilMs > nowMs) || doomed.some(({ untilMs }) => untilMs > nowMs);
  }

  /** Who chooses just now; null: nobody. */
  choosing(nowMs: number): Choosing | null {
    const { choosing } = this.#held;
    return choosing !== null && choosing.untilMs > nowMs ? choosing : null;
  }

  /** Whether that agent gets no lease. `holdsLease` is asked only if it matters. */
  refuses(
    agent: { machineId: string; instanceId?: string | null },
    holdsLease: () => boolean,
    nowMs: number,
  ): boolean {
    if (!this.isOn(nowMs)) return false;
    // The same machine may be back as another instance. Who names none (old workers) is taken for the one that goes.
    const isDoomed = this.#held.doomed.some(
      ({ machineId, instanceId, untilMs }) =>
        untilMs > nowMs &&
        // An instance may have come to its node only since Salad has chosen it.
        (agent.instanceId == null ? machineId === agent.machineId : instanceId === agent.instanceId),
    );
    return isDoomed || (this.choosing(nowMs) !== null && !holdsLease());
  }

  /**
   * A later operation takes an earlier one's place: the turn that each decision needs has passed to it. It ends no sooner than that, and keeps
   * its step until it has one of its own: what the earlier one has asked of Salad may yet come about.
   */
  choose(operationId: string, untilMs: number, nowMs: number, step?: HeldStep): void {
    const earlier = this.choosing(nowMs);
    const lastsUntilMs = Math.min(Math.max(untilMs, earlier?.untilMs ?? 0), nowMs + maxHoldMs);
    const asked = step === undefined ? (earlier?.step ?? null) : askedAt(step, nowMs);
    this.#keep({ choosing: { operationId, untilMs: lastsUntilMs, step: asked } }, nowMs);
  }

  /** From now on only these get none. False: that operation's hold is over, and nothing happens. */
  narrow(operationId: string, doomed: readonly DoomedInstance[], untilMs: number, nowMs: number): boolean {
    if (this.choosing(nowMs)?.operationId !== operationId) return false;
    const until = { untilMs: Math.min(untilMs, nowMs + maxHoldMs) };
    const named = doomed.map(({ machineId, instanceId }) => ({ machineId, instanceId, ...until }));
    this.#keep({ choosing: null, doomed: [...this.#held.doomed, ...named].slice(-maxDoomed) }, nowMs);
    return true;
  }

  #keep(change: Partial<Held>, nowMs: number): void {
    const held = { ...this.#held, ...change };
    this.#held = { ...held, doomed: held.doomed.filter(({ untilMs }) => untilMs > nowMs) };
    if (this.#held.choosing === null && this.#held.doomed.length === 0) {
      this.#sql.exec("DELETE FROM grant_hold");
      return;
    }
    this.#sql.exec(
      "INSERT OR REPLACE INTO grant_hold (only_row, held) VALUES (1, ?)",
      JSON.stringify(this.#held),
    );
  }
}
