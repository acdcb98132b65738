/** What goes wrong, and how often it did. Switched off, everything arrives, once, in time. */
import { minute, type Scenario, second } from "../scenario.ts";
import type { Random } from "./random.ts";

export type D1FaultKind =
  | "refused"
  | "answer-lost"
  /** The caller gets an error; the write is applied afterwards. */
  | "late"
  | "slow"
  /** The object dies before D1 hears of it. */
  | "crash-before"
  /** D1 has applied it; the object dies before it hears so. */
  | "crash-after";

export interface D1Fault {
  kind: D1FaultKind | null;
  /** To D1, and back. */
  thereMs: number;
  backMs: number;
  /** From the error to the application, of a late one; at the latest, if it waits for the worst moment. */
  lateMs: number;
  waits: boolean;
}

/** The longest that D1 lets a caller wait. */
export const slowestD1Ms = 25 * second;

export interface MessageFate {
  /** Delays of the copies that arrive; none: lost. */
  copiesMs: number[];
}

export class Faults {
  on = true;
  readonly counts = new Map<string, number>();
  /** The API cannot be reached until then, and its alarms do not ring. */
  outageUntilMs = 0;
  d1DownUntilMs = 0;
  /** When D1 last failed somebody: an answer "unavailable" needs such a reason. */
  lastD1FaultMs = Number.NEGATIVE_INFINITY;
  readonly #random: Random;
  readonly #scenario: Scenario;
  readonly #nowMs: () => number;

  constructor(scenario: Scenario, random: Random, nowMs: () => number) {
    this.#scenario = scenario;
    this.#random = random;
    this.#nowMs = nowMs;
  }

  count(kind: string): void {
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
  }

  ofD1(writes: boolean): D1Fault {
    const random = this.#random;
    const fault: D1Fault = {
      kind: null,
      thereMs: random.between(1, 15),
      backMs: random.between(1, 15),
      lateMs: 0,
      waits: false,
    };
    if (!this.on) return fault;
    if (this.#nowMs() < this.d1DownUntilMs) {
      fault.kind = "refused";
      // Half of what a failing D1 refuses, it had taken nevertheless.
      if (writes && random.chance(0.3)) fault.kind = random.pick(["answer-lost", "late"] as const);
    } else if (random.chance(this.#scenario.d1FaultShare)) {
      fault.kind = random.pick(
        writes
          ? ([
              "refused",
              "answer-lost",
              "answer-lost",
              "late",
              "slow",
              "crash-before",
              "crash-after",
            ] as const)
          : (["refused", "slow", "slow", "crash-before", "crash-after"] as const),
      );
    }
    if (fault.kind === null) return fault;
    this.count(`d1 ${fault.kind}`);
    this.lastD1FaultMs = this.#nowMs();
    if (fault.kind === "slow") {
      fault.thereMs = random.logBetween(100, slowestD1Ms / 2);
      fault.backMs = random.logBetween(100, slowestD1Ms / 2);
    }
    if (fault.kind === "late") {
      fault.waits = random.chance(0.5);
      fault.lateMs = fault.waits ? 20 * minute : random.logBetween(1, 20 * minute);
    }
    return fault;
  }

  /** Of one call of the bucket by the API. */
  ofBucket(writes: boolean): D1Fault {
    const random = this.#random;
    const fault: D1Fault = {
      kind: null,
      thereMs: random.between(1, 30),
      backMs: random.between(1, 30),
      lateMs: 0,
      waits: false,
    };
    if (!this.on || !random.chance(this.#scenario.d1FaultShare / 3)) return fault;
    fault.kind = random.pick(
      writes
        ? (["refused", "answer-lost", "late", "slow", "crash-before", "crash-after"] as const)
        : (["refused", "slow", "slow", "crash-before"] as const),
    );
    this.count(`bucket ${fault.kind}`);
    if (fault.kind === "slow") fault.backMs = random.logBetween(100, 2 * minute);
    if (fault.kind === "late") fault.lateMs = random.logBetween(1, 10 * minute);
    return fault;
  }

  /** Of one upload or download of a node. */
  ofTransfer(): "lost" | "answer-lost" | "late" | null {
    const random = this.#random;
    if (!this.on || !random.chance(this.#scenario.messageFaultShare)) return null;
    const kind = random.pick(["lost", "answer-lost", "late", "late"] as const);
    this.count(`transfer ${kind}`);
    return kind;
  }

  /** One way of one message. */
  ofMessage(): MessageFate {
    const random = this.#random;
    const usualMs = random.between(2, 60);
    if (!this.on || !random.chance(this.#scenario.messageFaultShare)) return { copiesMs: [usualMs] };
    const kind = random.pick(["lost", "lost", "delayed", "delayed", "doubled"] as const);
    this.count(`message ${kind}`);
    // Delays beyond the others' also reorder.
    if (kind === "lost") return { copiesMs: [] };
    if (kind === "delayed") return { copiesMs: [random.logBetween(500, 40 * second)] };
    return { copiesMs: [usualMs, usualMs + random.logBetween(1, 60 * second)] };
  }

  /** A line that is slow is often about to fail: how long it will. */
  ofSlowLine(delayMs: number): number | null {
    if (!this.on || delayMs < 1_500 || !this.#random.chance(0.6)) return null;
    this.count("line failed");
    return this.#random.logBetween(30 * second, 5 * minute);
  }

  /** How long a line stays dead that has swallowed an answer; 0: it was only that one. */
  ofLostAnswer(): number {
    if (!this.on || !this.#random.chance(0.25)) return 0;
    this.count("line failed");
    return this.#random.logBetween(minute, 20 * minute);
  }

  /** Of one alarm when it is due. */
  ofAlarm(): { kind: "late"; lateMs: number } | { kind: "lost" | "doubled" } | null {
    const random = this.#random;
    if (!this.on || !random.chance(this.#scenario.alarmFaultShare)) return null;
    const kind = random.pick(["late", "late", "lost", "doubled"] as const);
    this.count(`alarm ${kind}`);
    return kind === "late" ? { kind, lateMs: random.logBetween(100, 10 * minute) } : { kind };
  }
}
