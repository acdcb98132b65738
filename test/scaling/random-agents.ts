/**
 * The agents on the instances: each asks for a job, renews its lease, has its deletion cost raised and lowered, and knows nothing of what Salad is
 * about to do with it. It ends with its instance.
 */
import type { SaladInstance } from "../../src/salad/client.ts";
import { type Held, heldBy, key } from "../engine/world.ts";
import { minute, second } from "../simulation/scenario.ts";
import type { GroupObject } from "../simulation/world/group-object.ts";
import type { Random } from "../simulation/world/random.ts";
import type { Schedule } from "../simulation/world/schedule.ts";
import type { RandomSalad } from "./random-salad.ts";

/** When its metadata service has the cost of a job that it has begun. */
export type Telling = "prompt" | "late" | "never";

/** Within a second or two of the claim. */
export const promptMs = 1_500;
const lateMs = [3 * second, minute] as const;
const messageMs = [2, 60] as const;
const idlePollMs = [15 * second, minute] as const;
/** A quarter of the shortest term of the jobs that are submitted. */
const renewMs = [12 * second, 15 * second] as const;
const workMs = [5 * second, 8 * minute] as const;

export interface Lease extends Held {
  sinceMs: number;
}

export interface AgentsWorld {
  schedule: Schedule;
  random: Random;
  object: GroupObject;
  salad: RandomSalad;
  tellings: readonly Telling[];
  note(text: string): void;
  /** The engine threw: for a fault of D1's, or a broken invariant. */
  threw(error: unknown): void;
}

export class RandomAgents {
  readonly all = new Map<string, Agent>();
  /** `hurry`: whatever is begun ends soon. `stay`: nothing ends. */
  pace: "usual" | "hurry" | "stay" = "usual";
  readonly world: AgentsWorld;
  #serial = 0;

  constructor(world: AgentsWorld) {
    this.world = world;
  }

  start(instance: SaladInstance): void {
    const agent = new Agent(this, instance, this.world.random.pick(this.world.tellings));
    this.all.set(instance.id, agent);
    agent.poll();
  }

  end(instance: SaladInstance): void {
    const agent = this.all.get(instance.id);
    if (agent) agent.alive = false;
    this.all.delete(instance.id);
  }

  /** As the object wakes agents over their sockets. */
  wake(count: number): void {
    const idle = [...this.all.values()].filter((agent) => agent.isIdle);
    for (const agent of idle.slice(0, count)) this.after(messageMs, () => agent.poll());
  }

  claimId(): string {
    return `claim-${++this.#serial}`;
  }

  after([low, high]: readonly [number, number], work: () => void): void {
    this.world.schedule.after(this.world.random.logBetween(low, high), work);
  }
}

export class Agent {
  alive = true;
  lease: Lease | null = null;
  telling: Telling;
  readonly instance: SaladInstance;
  readonly #agents: RandomAgents;
  /** Of a claim whose answer has not come. */
  #claimId: string | null = null;
  #asks = false;
  /** Planned polls of before mean nothing. */
  #pollVersion = 0;

  constructor(agents: RandomAgents, instance: SaladInstance, telling: Telling) {
    this.#agents = agents;
    this.instance = instance;
    this.telling = telling;
  }

  get isIdle(): boolean {
    return this.alive && this.lease === null && !this.#asks;
  }

  poll(): void {
    if (!this.isIdle) return;
    this.#asks = true;
    this.#claimId ??= this.#agents.claimId();
    const { machineId, id: instanceId } = this.instance;
    const request = { machineId, instanceId, claimId: this.#claimId };
    this.#call(
      (engine) => engine.claim(key, request),
      (answer) => {
        this.#asks = false;
        if (answer?.ok) this.#claimId = null;
        const held = answer === null ? null : heldBy(machineId, answer);
        if (held) this.#begin(held);
        else this.#pollLater();
      },
    );
  }

  /** The job ends as its own command, or a person, has it. */
  finish(): void {
    const { lease } = this;
    if (!lease) return;
    this.#settle(lease);
  }

  /** Its cost as it shall be, told in the end. */
  tellCost(): void {
    this.#agents.world.salad.setCost(this.instance.id, this.lease === null ? 0 : 1);
  }

  #pollLater(): void {
    const version = ++this.#pollVersion;
    this.#agents.after(idlePollMs, () => {
      if (version === this.#pollVersion) this.poll();
    });
  }

  #begin(held: Held): void {
    const { world, pace } = this.#agents;
    const lease = { ...held, sinceMs: world.schedule.nowMs };
    this.lease = lease;
    world.note(`${this.instance.id} on ${held.machineId} begins ${held.jobId}`);
    this.#renew(lease);
    if (this.telling !== "never") this.#changeCost(this.telling === "late" ? lateMs : [200, promptMs]);
    if (pace === "stay") return;
    this.#agents.after(pace === "hurry" ? [second, 20 * second] : workMs, () => {
      if (this.#agents.pace !== "stay") this.#settle(lease);
    });
  }

  #changeCost(delayMs: readonly [number, number]): void {
    this.#agents.after(delayMs, () => {
      if (this.alive) this.tellCost();
    });
  }

  #renew(lease: Lease): void {
    if (this.lease !== lease) return;
    this.#call(
      (engine) => engine.renew(key, lease.machineId, [{ ...lease, commandStarted: true }]),
      (answers) => {
        const [answer] = answers ?? [];
        if (answer && answer.status !== "running" && answer.status !== "unavailable")
          this.#drop(lease, answer.status);
      },
    );
    this.#agents.after(renewMs, () => this.#renew(lease));
  }

  #settle(lease: Lease): void {
    if (this.lease !== lease || !this.alive) return;
    this.#call(
      (engine) => engine.settle(key, lease.jobId, "completed", lease, {}),
      (answer) => {
        if (answer?.ok || answer?.reason === "unavailable" || answer === null) {
          if (answer?.ok) this.#drop(lease, "done");
          else this.#agents.after([second, 5 * second], () => this.#settle(lease));
        } else this.#drop(lease, answer.reason);
      },
    );
  }

  #drop(lease: Lease, why: string): void {
    if (this.lease !== lease) return;
    this.lease = null;
    this.#agents.world.note(`${this.instance.id} is through with ${lease.jobId}: ${why}`);
    this.#changeCost([200, promptMs]);
    this.#agents.after(messageMs, () => this.poll());
  }

  /** A request there and its answer back. Null: the object died over it. */
  #call<T>(
    work: Parameters<GroupObject["call"]>[0] & ((engine: never) => Promise<T>),
    answered: (answer: T | null) => void,
  ): void {
    const { object, threw, schedule } = this.#agents.world;
    this.#agents.after(messageMs, () => {
      if (!this.alive) return;
      object.call<T>(
        work as Parameters<typeof object.call<T>>[0],
        (answer) =>
          this.#agents.after(messageMs, () => {
            schedule.touched = true;
            if (this.alive) answered(answer);
          }),
        threw,
      );
    });
  }
}
