/** The machines: so many at a time, each with its agents or old workers, each with its misfortunes, replaced when dead. */
import { hour, minute, second } from "../scenario.ts";
import { Agent } from "./agent.ts";
import { Machine } from "./machine.ts";
import { OldWorker } from "./old-worker.ts";
import type { Surroundings } from "./surroundings.ts";

type Process = Agent | OldWorker;

const badMachineId = "machine-bad";
/** The first machine of all, where there is managed storage: it, and whatever comes under its id, has bad memory. */
const flawedMachineId = "machine-1";

interface Node {
  machine: Machine;
  processes: Process[];
  old: boolean;
}

export class Fleet {
  readonly #world: Surroundings;
  readonly #nodes = new Set<Node>();
  /** Lived through by machines that are gone. */
  #pastNodeMs = 0;
  #serial = 0;
  #badMachineFails = true;

  constructor(world: Surroundings) {
    this.#world = world;
    const { scenario, schedule, random } = world;
    if (scenario.badMachine) this.#start(badMachineId, false, () => this.#badMachineFails, 6);
    for (let i = 0; i < scenario.machines; i++) {
      const delayMs = scenario.badMachine ? 5 * minute : 0;
      schedule.after(delayMs + random.int(0, 10_000), () => this.#startNew());
    }
  }

  get nodeHours(): number {
    let livingMs = 0;
    for (const { machine } of this.#nodes) livingMs += this.#world.schedule.nowMs - machine.bornMs;
    return (this.#pastNodeMs + livingMs) / hour;
  }

  /** Wakes idle agents; what the socket does for those that have one. */
  wake(count: number): void {
    let left = count;
    for (const { processes } of this.#nodes) {
      for (const process of processes) {
        if (left <= 0) return;
        if (!process.idle || !this.#world.random.chance(0.7)) continue;
        process.poll();
        left--;
      }
    }
  }

  /** Frozen ones come back, all at once. */
  wakeAll(): void {
    for (const { machine } of this.#nodes) machine.wake();
  }

  /** Nothing goes wrong any more; and a few machines join that no job has banned. */
  recover(): void {
    this.#badMachineFails = false;
    this.#world.storage.hurry(20 * minute);
    for (const { machine } of this.#nodes) {
      machine.wake();
      machine.reconnect();
    }
    for (let i = 0; i < 3; i++) this.#start(`machine-${++this.#serial}`, false, () => false);
  }

  stop(): void {
    for (const node of this.#nodes) this.#kill(node);
  }

  #startNew(): void {
    const { random, scenario } = this.#world;
    this.#start(`machine-${++this.#serial}`, random.chance(scenario.oldShare), () => false);
  }

  #start(id: string, old: boolean, failsAll: () => boolean, count?: number): void {
    const { random, scenario } = this.#world;
    const machine = new Machine(id, this.#world.schedule, random.fork());
    machine.sturdy = id === badMachineId;
    machine.flawed = scenario.managedShare > 0 && id === flawedMachineId;
    const life = ++this.#serial;
    // Recipes run several processes per machine, under one machine id.
    const processes = Array.from(
      { length: count ?? random.pick(scenario.processes) },
      (_, i): Process =>
        old
          ? new OldWorker(this.#world, machine, `old-${life}.${i}`, failsAll)
          : new Agent(this.#world, machine, `agent-${life}.${i}`, random.pick(scenario.slots), failsAll),
    );
    const node: Node = { machine, processes, old };
    this.#nodes.add(node);
    this.#misfortunes(node);
  }

  #misfortunes(node: Node): void {
    const { random, scenario, schedule, faults } = this.#world;
    const { machine } = node;
    const often = (everyMs: number, what: () => void) => {
      const next = () =>
        schedule.after(random.exponential(everyMs), () => {
          if (!machine.alive || !faults.on) return;
          what();
          next();
        });
      next();
    };
    often(scenario.freezeEveryMs, () => {
      faults.count("node frozen");
      machine.freeze(random.logBetween(second, 20 * minute));
    });
    often(scenario.partitionEveryMs, () => {
      faults.count("node cut off");
      machine.cutOff(random.logBetween(second, 15 * minute));
    });
    const remainingMs = random.exponential(scenario.deathEveryMs);
    schedule.after(remainingMs, () => {
      if (!machine.alive || !faults.on || machine.sturdy) return;
      if (random.chance(0.3)) {
        faults.count("node stopped");
        for (const process of node.processes) machine.run(() => process.drain());
        schedule.after(random.int(1, 10_000), () => this.#replace(node));
      } else {
        faults.count("node killed");
        this.#replace(node);
      }
    });
  }

  #replace(node: Node): void {
    if (!node.machine.alive) return;
    this.#kill(node);
    const { random, schedule } = this.#world;
    // Sometimes it is the same machine again, with a new container.
    const same = random.chance(0.4) || node.machine.flawed;
    schedule.after(random.logBetween(second, 5 * minute), () => {
      if (same) this.#start(node.machine.id, node.old, () => false);
      else this.#startNew();
    });
  }

  #kill(node: Node): void {
    this.#pastNodeMs += this.#world.schedule.nowMs - node.machine.bornMs;
    this.#nodes.delete(node);
    node.machine.die();
    for (const process of node.processes) process.die();
  }
}
