/** One life of the autoscaler, as the platform gives it: a pass of the cron, what goes on after a submission, a person's question. It may die at each wait. */
import type { SaladAnswer, SaladGroup, SaladQuota } from "../../src/salad/client.ts";
import type { Desk } from "../../src/scaling/desk.ts";
import type { ScalingPorts } from "../../src/scaling/ports.ts";
import { Scaler } from "../../src/scaling/scaler.ts";
import { key } from "../engine/world.ts";
import { groupPort } from "../simulation/scaling/group-port.ts";
import type { Caller, SimulatedD1 } from "../simulation/world/d1.ts";
import type { GroupObject } from "../simulation/world/group-object.ts";
import type { Random } from "../simulation/world/random.ts";
import type { Schedule } from "../simulation/world/schedule.ts";
import { type Asker, isChange, type RandomLine } from "./random-line.ts";
import type { Call } from "./salad.ts";

export type Errand = "pass" | "submitted" | "evaluate" | "dry run";

const rpcMs = 5;

/** What it has come to know and to do in its turn. */
export interface TurnNotes {
  operationId: string;
  sinceMs: number;
  /** What the quota leaves to the group, as it was told; null: it was not. */
  room: number | null;
  /** Machines with a lease when it held the grants; null: it has not. */
  busyMachines: number | null;
  changes: { call: Call; direction: "up" | "down" }[];
  /** Salad has made one of them, or nobody knows. */
  mayBeMade: boolean;
  /** It may have been made, and the group was not asked since. */
  unseen: boolean;
}

export interface DeciderWatcher {
  asks(decider: Decider, call: Call, replicas?: number): void;
  takesTurn(decider: Decider, operationId: string, isIts: boolean): void;
  endsTurn(decider: Decider, operationId: string): void;
  ended(decider: Decider, error: unknown): void;
  note(text: string): void;
}

export interface DeciderWorld {
  schedule: Schedule;
  random: Random;
  d1: SimulatedD1;
  object: GroupObject;
  line: RandomLine;
  desk: Desk;
  watcher: DeciderWatcher;
}

export class Decider implements Caller, Asker {
  alive = true;
  /** It has come to its end. */
  ended = false;
  /** D1, or the group's object, has failed it. */
  failed = false;
  turn: TurnNotes | null = null;
  /** As Salad last told it. */
  group: SaladGroup | null = null;
  readonly name: string;
  readonly errand: Errand;
  readonly #world: DeciderWorld;
  #operations = 0;

  constructor(world: DeciderWorld, serial: number, errand: Errand) {
    this.#world = world;
    this.errand = errand;
    this.name = `${errand} #${serial}`;
  }

  get deciding() {
    const { turn } = this;
    return {
      sinceMs: turn?.sinceMs ?? Number.POSITIVE_INFINITY,
      isHolding: (turn?.busyMachines ?? null) !== null,
    };
  }

  run(): void {
    const { schedule, watcher } = this.#world;
    const scaler = new Scaler(this.#ports());
    const work = {
      pass: () => scaler.pass(),
      submitted: () => scaler.submitted(key),
      evaluate: () => scaler.evaluate(key, false),
      "dry run": () => scaler.evaluate(key, true),
    }[this.errand];
    schedule.touched = true;
    work().then(
      (answer) => {
        this.ended = true;
        watcher.note(`${this.name} ended: ${JSON.stringify(answer)}`);
        watcher.ended(this, null);
      },
      (error) => {
        this.ended = true;
        watcher.note(`${this.name} threw: ${error}`);
        watcher.ended(this, error);
      },
    );
  }

  crash(): void {
    if (!this.alive || this.ended) return;
    this.alive = false;
    this.#world.watcher.note(`${this.name} dies`);
  }

  asks(call: Call, replicas?: number): void {
    if (this.turn && call === "getGroup") this.turn.unseen = false;
    this.#world.watcher.asks(this, call, replicas);
  }

  hears(call: Call, answer: SaladAnswer<unknown>): void {
    if (this.turn && isChange(call)) {
      // A 400 may mean that it was as wanted before.
      const isOpen = !answer.ok && answer.status !== 429 && answer.reason !== "refused";
      this.turn.mayBeMade ||= answer.ok || isOpen;
      this.turn.unseen = isOpen;
    }
    if (!answer.ok) return;
    if (call === "getGroup") this.group = answer.value as SaladGroup;
    if (call !== "readQuota" || !this.turn || !this.group) return;
    const quota = answer.value as SaladQuota;
    const has = this.group.status === "stopped" ? 0 : this.group.replicas;
    this.turn.room = Math.max(quota.replicas - quota.used + this.group.replicas, has);
  }

  #ports(): ScalingPorts {
    const { schedule, random, d1, object, line, desk, watcher } = this.#world;
    const group = groupPort({ schedule, object }, this);
    return {
      d1: { batch: (statements) => this.#orFailed(d1.send(this, statements)) },
      salad: line.port(this),
      budget: {
        take: (what) => this.#rpc(() => desk.take(what)),
        exhausted: () => this.#rpc(() => desk.exhausted()),
      },
      turns: {
        takeTurn: (name, operationId) =>
          this.#rpc(async () => {
            const isIts = await desk.takeTurn(name, operationId);
            watcher.takesTurn(this, operationId, isIts);
            return isIts;
          }),
        endTurn: (name, operationId, restMs) =>
          this.#rpc(async () => {
            watcher.endsTurn(this, operationId);
            await desk.endTurn(name, operationId, restMs);
          }),
      },
      rounds: {
        lastRule: () => this.#rpc(() => desk.lastRule()),
        keepLastRule: (rule) => this.#rpc(() => desk.keepLastRule(rule)),
      },
      group: () => ({
        status: (...given) => this.#orFailed(group.status(...given)),
        holdGrants: (...given) => this.#orFailed(group.holdGrants(...given)),
        narrowHold: (...given) => this.#orFailed(group.narrowHold(...given)),
        grantHold: (...given) => this.#orFailed(group.grantHold(...given)),
        badMachines: (...given) => this.#orFailed(group.badMachines(...given)),
        reallocated: (...given) => this.#orFailed(group.reallocated(...given)),
      }),
      nowMs: () => Math.floor(schedule.nowMs),
      sleep: (ms) => this.#wait(ms),
      random: () => random.next(),
      operationId: () => `${this.name}-${++this.#operations}`,
      log: ({ event, detail }) => watcher.note(`${this.name} logs ${event}: ${detail}`),
    };
  }

  async #orFailed<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      this.failed = true;
      throw error;
    }
  }

  async #rpc<T>(work: () => Promise<T>): Promise<T> {
    await this.#wait(rpcMs);
    const answer = await work();
    await this.#wait(rpcMs);
    return answer;
  }

  /** For ever, if it dies meanwhile. */
  #wait(ms: number): Promise<void> {
    const { schedule } = this.#world;
    return new Promise((resolve) =>
      schedule.after(ms, () => {
        if (!this.alive) return;
        schedule.touched = true;
        resolve();
      }),
    );
  }
}
