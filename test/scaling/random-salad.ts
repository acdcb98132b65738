/**
 * SaladCloud in virtual time: it carries out what it was asked at once or minutes later, and shows that late, too. What a stop takes is clear when
 * it takes effect; what fewer replicas take, only when Salad chooses: the lowest deletion cost first, and among equals anybody.
 */
import type { SaladInstance } from "../../src/salad/client.ts";
import { minute, second } from "../simulation/scenario.ts";
import type { Random } from "../simulation/world/random.ts";
import type { Schedule } from "../simulation/world/schedule.ts";
import { FakeSalad } from "./salad.ts";

/** Whose doing it is that an instance goes. */
export type By = "step" | "person";

export interface SaladWatcher {
  /** An instance runs: its agent starts. */
  runs(instance: SaladInstance): void;
  /** It will be taken away: from now on it shall get no lease. */
  chosen(instance: SaladInstance, by: By): void;
  /** It is no more, nor is its agent. */
  gone(instance: SaladInstance): void;
  note(text: string): void;
}

/** From the choice until an instance is gone; from a request's effect until Salad gets to it. */
const stoppingMs = [5 * second, 3 * minute] as const;
const carryOutMs = [1 * second, 5 * minute] as const;
const startUpMs = [2 * second, 2 * minute] as const;

export class RandomSalad extends FakeSalad {
  /** Nothing takes long any more. */
  prompt = false;
  /** Deletion costs as they are, whether or not Salad tells them. */
  readonly costs = new Map<string, number>();
  readonly tellsCosts: boolean;
  readonly going = new Map<string, By>();
  /** Whose doing a request is that takes effect now. */
  blame: By = "step";
  /** When a person last stopped the group, and last asked for anything. */
  stoppedByHandMs = Number.NEGATIVE_INFINITY;
  handMs = Number.NEGATIVE_INFINITY;
  readonly #schedule: Schedule;
  readonly #random: Random;
  readonly #watcher: SaladWatcher;
  #serial = 0;
  #machines: string[] = [];
  /** Of the instances that are too many, those that a step gave up. A person's come on top. */
  #owedToStep = 0;
  #excess = 0;
  #choosesAtMs: number | null = null;

  constructor(schedule: Schedule, random: Random, tellsCosts: boolean, watcher: SaladWatcher) {
    super();
    this.#schedule = schedule;
    this.#random = random;
    this.#watcher = watcher;
    this.tellsCosts = tellsCosts;
    this.patchesStopped = random.chance(0.7);
  }

  /** Those that are not going. */
  get staying(): SaladInstance[] {
    return this.instances.filter(({ id }) => !this.going.has(id));
  }

  setCost(id: string, cost: number): void {
    this.costs.set(id, cost);
    const instance = this.instances.find((one) => one.id === id);
    if (instance && this.tellsCosts) instance.deletionCost = cost;
  }

  /** After each request that took effect (`FakeSalad`), and after a person's hand. */
  override choose(by: By = this.blame): void {
    if (this.state === "stopped") {
      for (const instance of this.staying) this.#take(instance, by, true);
      this.#excess = this.#owedToStep = 0;
    } else {
      this.#count(by);
      this.#planChoice();
    }
    this.grow();
  }

  byHand(change: () => void): void {
    change();
    this.handMs = this.#schedule.nowMs;
    if (this.state === "stopped") this.stoppedByHandMs = this.#schedule.nowMs;
    this.choose("person");
  }

  /** The node is gone, and nobody has asked for it. */
  vanish(instance: SaladInstance): void {
    this.#remove(instance);
    this.#count("step");
    this.grow();
  }

  /** Brings up what is missing. */
  grow(): void {
    if (this.state === "stopped") return;
    while (this.staying.length < this.replicas) {
      const instance: SaladInstance = {
        id: `i${++this.#serial}`,
        machineId: this.#machine(),
        state: "allocating",
        deletionCost: this.tellsCosts ? 0 : null,
      };
      this.costs.set(instance.id, 0);
      this.instances.push(instance);
      this.#after(startUpMs, () => {
        if (!this.instances.includes(instance) || instance.state !== "allocating") return;
        instance.state = "running";
        if (this.state !== "stopped") this.state = "running";
        this.#watcher.note(`${instance.id} runs on ${instance.machineId}`);
        this.#watcher.runs(instance);
      });
    }
  }

  #machine(): string {
    const free = this.#machines.filter((id) => this.instances.every(({ machineId }) => machineId !== id));
    if (free.length > 0 && this.#random.chance(0.4)) return this.#random.pick(free);
    const machine = `m${this.#machines.length + 1}`;
    this.#machines.push(machine);
    return machine;
  }

  #count(by: By): void {
    const excess = Math.max(0, this.staying.length - this.replicas);
    const more = excess - this.#excess;
    this.#owedToStep = Math.min(excess, this.#owedToStep + (by === "step" ? Math.max(0, more) : 0));
    // Fewer are too many: whose they were is not known, so that the step is not blamed.
    if (more < 0) this.#owedToStep = Math.max(0, this.#owedToStep + more);
    this.#excess = excess;
  }

  #planChoice(): void {
    if (this.#excess === 0 || this.#choosesAtMs !== null) return;
    if (this.prompt || this.#random.chance(0.5)) {
      this.#takeExcess();
      return;
    }
    this.#choosesAtMs = this.#schedule.nowMs;
    this.#after(carryOutMs, () => {
      this.#choosesAtMs = null;
      if (this.state !== "stopped") this.#takeExcess();
    });
  }

  #takeExcess(): void {
    const order = this.staying
      .map((instance) => ({ instance, cost: this.costs.get(instance.id) ?? 0, tie: this.#random.next() }))
      .sort((one, other) => one.cost - other.cost || one.tie - other.tie)
      .slice(0, Math.max(0, this.staying.length - this.replicas));
    for (const [at, { instance }] of order.entries())
      this.#take(instance, at < this.#owedToStep ? "step" : "person", false);
    this.#excess = this.#owedToStep = 0;
  }

  /** `late`: that it goes is clear, and not yet shown. */
  #take(instance: SaladInstance, by: By, late: boolean): void {
    this.going.set(instance.id, by);
    this.#watcher.note(
      `${instance.id} on ${instance.machineId} is taken by ${by === "step" ? "a step" : "a person"}`,
    );
    this.#watcher.chosen(instance, by);
    const show = () => {
      if (!this.instances.includes(instance)) return;
      instance.state = "stopping";
      this.#after(stoppingMs, () => this.#remove(instance));
    };
    if (late && !this.prompt && this.#random.chance(0.5)) this.#after(carryOutMs, show);
    else show();
  }

  #remove(instance: SaladInstance): void {
    if (!this.instances.includes(instance)) return;
    this.instances = this.instances.filter((one) => one !== instance);
    this.#watcher.note(`${instance.id} on ${instance.machineId} is gone`);
    this.#watcher.gone(instance);
  }

  #after([low, high]: readonly [number, number], work: () => void): void {
    this.#schedule.after(this.prompt ? low : this.#random.logBetween(low, high), work);
  }
}
