/** Somebody who pauses the group now and then, and resumes it; what he tells the object may get lost. */
import { countAvailable, pauseGroup, resumeGroup } from "../../../src/db/groups/pause.ts";
import type { Statement } from "../../../src/db/statement.ts";
import type { Engine } from "../../../src/group/engine.ts";
import { second } from "../scenario.ts";
import type { SimulatedD1 } from "../world/d1.ts";
import type { Random } from "../world/random.ts";
import { Machine } from "./machine.ts";
import type { Surroundings } from "./surroundings.ts";

const callTimeoutMs = 60 * second;

export class Pauser {
  readonly #world: Surroundings;
  readonly #d1: SimulatedD1;
  readonly #random: Random;
  readonly #desk: Machine;
  #paused = false;

  /** `random` is a chance of its own: runs without a pause are the same with and without it. */
  constructor(world: Surroundings, d1: SimulatedD1, random: Random) {
    this.#world = world;
    this.#d1 = d1;
    this.#random = random;
    this.#desk = new Machine("pauser", world.schedule, random.fork());
    d1.database.all("INSERT INTO users (id, username, created) VALUES (?, 'one', 0)", [world.key.userId]);
    this.#wait();
  }

  /** The last thing he does, so that every job ends. */
  resumeAtTheEnd(): void {
    if (this.#paused) this.#resume();
  }

  #wait(): void {
    const { schedule, scenario, faults } = this.#world;
    schedule.after(this.#random.exponential(scenario.pauseEveryMs), () => {
      if (!faults.on) return;
      this.#pause();
      schedule.after(this.#random.logBetween(100, scenario.pauseEveryMs), () => {
        if (!faults.on) return;
        this.#resume();
        this.#wait();
      });
    });
  }

  #pause(): void {
    const { key, schedule, judge } = this.#world;
    this.#write(pauseGroup(key.userId, key.containerGroupId, schedule.nowMs));
    // From here on his call has been answered.
    this.#paused = true;
    judge.paused();
    this.#tell((engine) => engine.paused(key));
  }

  #resume(): void {
    const { key, schedule, judge } = this.#world;
    this.#paused = false;
    judge.resumed();
    this.#write(resumeGroup(key.userId, key.containerGroupId));
    const [counted] = this.#write(countAvailable(key.userId, key.containerGroupId, schedule.nowMs, 2_000));
    this.#tell((engine) => engine.resumed(key, Number(counted?.available)));
  }

  #write({ sql, params }: Statement) {
    return this.#d1.database.all(sql, params);
  }

  #tell(work: (engine: Engine) => Promise<unknown>): void {
    this.#world.network.send({
      from: this.#desk,
      timeoutMs: callTimeoutMs,
      work,
      answered: () => undefined,
      done: () => undefined,
    });
  }
}
