/** The line to SaladCloud's API: each request takes its time there and back, and may be lost, refused, or take effect long after it was given up. */
import type { SaladAnswer, SaladRefusal } from "../../src/salad/client.ts";
import type { SaladPort } from "../../src/scaling/ports.ts";
import { second } from "../simulation/scenario.ts";
import type { Random } from "../simulation/world/random.ts";
import type { Schedule } from "../simulation/world/schedule.ts";
import type { RandomSalad } from "./random-salad.ts";
import { type Call, status, unanswered } from "./salad.ts";

/** As the shipped client waits for an answer (src/salad/call.ts). */
const clientTimeoutMs = 10 * second;
/** After the client gave up: how much later a request may still take effect, which is within half a minute of its leaving (docs/autoscaling.md). */
const lateMs = [100, 19 * second] as const;

/** One who asks: what comes after its end, nobody hears. */
export interface Asker {
  readonly alive: boolean;
  /** Since when it decides, and whether it holds grants for that. */
  readonly deciding: { sinceMs: number; isHolding: boolean };
  /** A request leaves. */
  asks(call: Call, replicas?: number): void;
  /** What it was answered. */
  hears(call: Call, answer: SaladAnswer<unknown>): void;
}

const answers: readonly SaladRefusal[] = [
  status(400, "rejected", "Bad Request"),
  status(403, "refused", "Forbidden"),
  status(404, "refused", "Not Found"),
  status(429, "unavailable", "Too Many Requests"),
  status(503, "unavailable", "Service Unavailable"),
  status(403, "unavailable", "403 with HTML"),
  status(502, "unavailable", "502 with HTML"),
];

export const isChange = (call: Call) => /^(set|start|stop)/.test(call);

export class RandomLine {
  /** Of the requests that only look, and of those that change something. */
  lookFaultShare = 0;
  changeFaultShare = 0;
  /** Answers come just before they are given up. */
  isSlow = false;
  readonly #schedule: Schedule;
  readonly #random: Random;
  readonly #salad: RandomSalad;
  readonly #note: (text: string) => void;

  constructor(schedule: Schedule, random: Random, salad: RandomSalad, note: (text: string) => void) {
    this.#schedule = schedule;
    this.#random = random;
    this.#salad = salad;
    this.#note = note;
  }

  port(asker: Asker): SaladPort {
    const salad = this.#salad;
    return {
      getGroup: () => this.#ask(asker, "getGroup", () => salad.getGroup()),
      listGroups: () => this.#ask(asker, "listGroups", () => salad.listGroups()),
      listInstances: () => this.#ask(asker, "listInstances", () => salad.listInstances()),
      readQuota: () => this.#ask(asker, "readQuota", () => salad.readQuota()),
      setReplicas: (place, n) => this.#ask(asker, "setReplicas", () => salad.setReplicas(place, n), n),
      startGroup: () => this.#ask(asker, "startGroup", () => salad.startGroup()),
      stopGroup: () => this.#ask(asker, "stopGroup", () => salad.stopGroup()),
      reallocate: (place, id) => this.#ask(asker, "reallocate", () => salad.reallocate(place, id)),
    };
  }

  #ask<T>(
    asker: Asker,
    call: Call,
    effect: () => Promise<SaladAnswer<T>>,
    replicas?: number,
  ): Promise<SaladAnswer<T>> {
    const random = this.#random;
    const salad = this.#salad;
    const { promise, resolve } = Promise.withResolvers<SaladAnswer<T>>();
    const name = replicas === undefined ? call : `${call} ${replicas}`;
    asker.asks(call, replicas);
    const leftMs = this.#schedule.nowMs;
    const { deciding } = asker;
    /** It takes effect. A person who has changed the group meanwhile is to blame for what comes of it, where nobody could know. */
    const took = async () => {
      // Stopped, as the group was to be, and started again before the stop got there; or more asked for than a step up asks for.
      const isOutrun =
        call === "stopGroup" ? salad.stoppedByHandMs > leftMs : salad.handMs > deciding.sinceMs;
      salad.blame = isOutrun && (call === "stopGroup" || !deciding.isHolding) ? "person" : "step";
      const told = await effect();
      salad.blame = "step";
      return told;
    };
    const answer = (afterMs: number, told: SaladAnswer<T>) =>
      this.#schedule.after(afterMs, () => {
        if (!asker.alive) return;
        this.#schedule.touched = true;
        asker.hears(call, told);
        resolve(told);
      });
    const slowShare = this.isSlow ? 0.8 : 0.1;
    const thereMs = random.chance(slowShare) ? random.logBetween(200, 5 * second) : random.between(30, 200);
    const backMs = random.chance(slowShare) ? random.logBetween(400, 4 * second) : random.between(30, 400);
    const changes = isChange(call);
    const fault = random.chance(changes ? this.changeFaultShare : this.lookFaultShare)
      ? random.pick(
          changes
            ? (["lost", "answer lost", "late", "late", "told", "told"] as const)
            : (["lost", "told"] as const),
        )
      : null;
    if (fault === "lost" || fault === "late") {
      this.#note(`${name}: ${fault}`);
      answer(clientTimeoutMs, unanswered);
      if (fault === "late") {
        this.#schedule.after(clientTimeoutMs + random.logBetween(...lateMs), () => {
          this.#note(`${name}: takes effect, long given up`);
          this.#schedule.touched = true;
          void took();
        });
      }
      return promise;
    }
    this.#schedule.after(thereMs, () => {
      this.#schedule.touched = true;
      if (fault === "told") {
        const told = random.pick(answers);
        // Of what is told as an error of Salad's own, some was done.
        const isDone = changes && told.reason === "unavailable" && told.status !== 429 && random.chance(0.4);
        this.#note(`${name}: ${told.detail}${isDone ? ", and done" : ""}`);
        if (isDone) void took();
        answer(backMs, told);
        return;
      }
      void took().then((told) => {
        const said = told.ok ? JSON.stringify(told.value) : `${told.status} ${told.detail}`;
        this.#note(`${name}: ${fault ?? said}`);
        if (fault === "answer lost") answer(clientTimeoutMs - thereMs, unanswered);
        else answer(backMs, told);
      });
    });
    return promise;
  }
}
