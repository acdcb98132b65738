/**
 * The simulation's agents on the instances of the simulated SaladCloud, in virtual time: one on each that runs, with the deletion cost that the
 * agent sets; what is paid for them, and what they lose.
 */
import { timings } from "../../../worker-agent/src/timings.ts";
import type { Cloud } from "../../salad/cloud.ts";
import type { Hardware } from "../../salad/hardware.ts";
import type { Instance, InstanceEnd, InstanceWatcher } from "../../salad/instances.ts";
import { Agent } from "../actors/agent.ts";
import { Machine } from "../actors/machine.ts";
import type { Pace } from "../actors/pace.ts";
import type { Surroundings } from "../actors/surroundings.ts";
import { minute, second } from "../scenario.ts";
import type { Random } from "../world/random.ts";
import { day } from "./day-plan.ts";

/** From a change of leases until the metadata service has the new deletion cost. */
const costDelayMs: readonly [number, number] = [200, 1_500];
/** A machine that loses contact with SaladCloud may run on. How often one does, and for how long. */
const zombieShare = 0.1;
const zombieMs = 15 * minute;
const agentStartMs = 1 * second;
/** The job's own start, and what it costs it to write a checkpoint. */
const warmUpMs = 40 * second;
const saveMs = 2 * second;

interface Node {
  instance: Instance;
  machine: Machine;
  agent: Agent;
  hardware: Hardware;
  savedAtMs: number;
  doneMs: number;
}

export interface Losses {
  attempts: number;
  workMs: number;
}

export class CloudFleet implements InstanceWatcher, Pace {
  readonly saveMs = saveMs;
  /** What SaladCloud bills. */
  runningMs = 0;
  /** Work that there was time for while it was billed: each moment at its node's speed. */
  capacityMs = 0;
  /** From the moment that an instance is asked for. */
  allocatedMs = 0;
  interruptions = 0;
  zombies = 0;
  readonly takenAway: Losses = { attempts: 0, workMs: 0 };
  readonly interrupted: Losses = { attempts: 0, workMs: 0 };
  readonly #world: Surroundings;
  readonly #cloud: Cloud;
  readonly #random: Random;
  readonly #nodes = new Map<string, Node>();
  readonly #byMachine = new Map<Machine, Node>();
  readonly #runningSinceMs = new Map<string, number>();

  constructor(world: Surroundings, cloud: Cloud, random: Random) {
    this.#world = { ...world, pace: this, leasesChanged: (machine) => this.#leasesChanged(machine) };
    this.#cloud = cloud;
    this.#random = random;
  }

  // What SaladCloud does

  runs(instance: Instance): void {
    const { schedule } = this.#world;
    const machine = new Machine(instance.machineId, schedule, this.#random.fork());
    machine.instanceId = instance.id;
    const hardware = this.#cloud.machines.hardwareOf(machine.id);
    const node = { instance, machine, hardware, savedAtMs: Number.NaN, doneMs: 0 } as Node;
    this.#byMachine.set(machine, node);
    node.agent = new Agent(this.#world, machine, `agent-${instance.id}`, 1, () => false);
    this.#nodes.set(instance.id, node);
    this.#runningSinceMs.set(instance.id, schedule.nowMs);
  }

  /** Untold, which is the harder case for the API: it goes on until it is killed. */
  stops(instance: Instance): void {
    this.#bill(instance);
  }

  ended(instance: Instance, how: InstanceEnd): void {
    this.#bill(instance);
    const { schedule } = this.#world;
    this.allocatedMs += schedule.nowMs - instance.createdMs;
    const node = this.#nodes.get(instance.id);
    if (!node) return;
    if (how === "interrupted") {
      this.interruptions++;
      if (this.#random.chance(zombieShare)) {
        this.zombies++;
        schedule.after(zombieMs, () => this.#kill(node, this.interrupted));
        return;
      }
    }
    this.#kill(node, how === "taken" ? this.takenAway : this.interrupted);
  }

  #bill(instance: Instance): void {
    const sinceMs = this.#runningSinceMs.get(instance.id);
    if (sinceMs === undefined) return;
    this.#runningSinceMs.delete(instance.id);
    const billedMs = this.#world.schedule.nowMs - sinceMs;
    this.runningMs += billedMs;
    this.capacityMs += billedMs * this.#cloud.machines.hardwareOf(instance.machineId).speed;
  }

  #kill(node: Node, losses: Losses): void {
    const { instance, machine, agent, hardware, savedAtMs, doneMs } = node;
    for (const jobId of agent.holds) {
      losses.attempts++;
      // It got to work there; what is not uploaded is lost.
      const sinceMs = this.#world.schedule.nowMs - savedAtMs;
      const reachedMs = Number.isNaN(savedAtMs) ? 0 : doneMs + sinceMs * hardware.speed;
      losses.workMs += Math.max(0, reachedMs - this.#world.storage.work(jobId).storedMs);
    }
    machine.die();
    agent.die();
    this.#nodes.delete(instance.id);
    this.#byMachine.delete(machine);
  }

  stop(): void {
    for (const node of [...this.#nodes.values()]) this.#kill(node, { attempts: 0, workMs: 0 });
  }

  // What the API asks and tells

  wake(count: number): void {
    let left = count;
    for (const { agent } of this.#nodes.values()) {
      if (left <= 0) return;
      if (!agent.idle) continue;
      agent.poll();
      left--;
    }
  }

  /** As the object sees them by their sockets. */
  get sockets() {
    const { nowMs } = this.#world.schedule;
    return [...this.#nodes.values()].map(({ instance, agent }) => ({
      machineId: instance.machineId,
      instanceId: instance.id,
      seenMs: nowMs,
      waits: agent.idle,
      drained: false,
    }));
  }

  get busy(): number {
    return [...this.#nodes.values()].filter(({ agent }) => agent.holds.length > 0).length;
  }

  // What the agent tells its metadata service

  #leasesChanged(machine: Machine): void {
    const node = this.#byMachine.get(machine);
    if (!node) return;
    if (node.agent?.holds.length !== 0) node.savedAtMs = Number.NaN;
    const delayMs = this.#random.between(...costDelayMs);
    machine.after(delayMs, () => this.#setCost(node));
  }

  /** What would be lost, in minutes; again each minute while it is busy. */
  #setCost(node: Node): void {
    const { instance, machine, agent } = node;
    const [jobId] = agent.holds;
    if (jobId === undefined) {
      instance.deletionCost = 0;
      return;
    }
    const sinceMs = Number.isNaN(node.savedAtMs) ? 0 : this.#world.schedule.nowMs - node.savedAtMs;
    instance.deletionCost = Math.max(1, Math.floor(sinceMs / minute));
    machine.after(minute, () => {
      if (agent.holds.includes(jobId)) this.#setCost(node);
    });
  }

  // How long things take there

  agentStartMs(): number {
    return agentStartMs;
  }

  idlePauseMs(): number {
    return timings.connectedPollMs;
  }

  commandStartMs(machine: Machine): number {
    return transferMs(this.#hardwareOf(machine).line.downMbps);
  }

  warmUpMs(): number {
    return warmUpMs;
  }

  uploadMs(machine: Machine): number {
    return transferMs(this.#hardwareOf(machine).line.upMbps);
  }

  workMs(machine: Machine, ms: number): number {
    return ms / this.#hardwareOf(machine).speed;
  }

  #hardwareOf(machine: Machine): Hardware {
    const node = this.#byMachine.get(machine);
    if (!node) throw new Error(`${machine.id} runs nothing`);
    return node.hardware;
  }

  reached(machine: Machine, doneMs: number): void {
    const node = this.#byMachine.get(machine);
    if (!node) return;
    node.doneMs = doneMs;
    node.savedAtMs = this.#world.schedule.nowMs;
  }
}

const transferMs = (mbps: number) => 1 * second + (day.checkpointBytes * 8) / (mbps * 1_000);
