/**
 * What runs of the groups. Nothing ticks: each look first brings instances in line with the clock and with what their groups ask for, and so
 * does the end of each request.
 * An instance is `allocating`, then `downloading`, `creating`, `running`, each for as long as the pace says.
 */
import { randomUUID } from "node:crypto";
import type { InstanceState } from "./controls.ts";
import type { Group, Groups } from "./groups.ts";
import type { Machines } from "./machines.ts";

/** How long things take, in milliseconds. */
export interface Pace {
  /** From a group's start until its image is stored: the group is `pending`. */
  preparingMs: number;
  allocatingMs: number;
  downloadingMs: number;
  creatingMs: number;
  /** How long an instance that is to go still runs. */
  stoppingMs: number;
}

export const atOnce: Pace = {
  preparingMs: 0,
  allocatingMs: 0,
  downloadingMs: 0,
  creatingMs: 0,
  stoppingMs: 0,
};

/** One run of a container on one machine; a restart on the same machine is another. */
export interface Instance {
  id: string;
  machineId: string;
  groupId: string;
  version: number;
  /** When it began to wait for what comes first; a restart skips what is already there. */
  createdMs: number;
  stoppingSinceMs: number | null;
  /** As it was set: IMDS takes any int32. */
  deletionCost: number;
}

export class Instances {
  readonly #instances: Instance[] = [];
  readonly #groups: Groups;
  readonly #machines: Machines;
  readonly #pace: Pace;
  readonly #nowMs: () => number;

  constructor(groups: Groups, machines: Machines, pace: Pace, nowMs: () => number) {
    this.#groups = groups;
    this.#machines = machines;
    this.#pace = pace;
    this.#nowMs = nowMs;
  }

  of(group: Group): Instance[] {
    this.reconcile();
    return this.#instances.filter(({ groupId }) => groupId === group.id);
  }

  byId(id: string): Instance | undefined {
    this.reconcile();
    return this.#instances.find((instance) => instance.id === id);
  }

  stateOf(instance: Instance): InstanceState {
    if (instance.stoppingSinceMs !== null) return "stopping";
    return this.#phases(instance).findLast(({ sinceMs }) => sinceMs <= this.#nowMs())?.state ?? "allocating";
  }

  /** When it came into its state. */
  updatedMs(instance: Instance): number {
    if (instance.stoppingSinceMs !== null) return instance.stoppingSinceMs;
    const phase = this.#phases(instance).findLast(({ sinceMs }) => sinceMs <= this.#nowMs());
    return phase?.sinceMs ?? instance.createdMs;
  }

  /** Whether the group's image is stored, so that instances may be allocated. */
  isPrepared(group: Group): boolean {
    return this.#nowMs() >= group.startedMs + this.#pace.preparingMs;
  }

  /** Another machine, and none of the old one's for 48 hours. */
  reallocate(instance: Instance): void {
    const group = this.#groupOf(instance);
    this.#machines.exclude(instance.machineId, group.organization, this.#nowMs());
    this.#end(instance);
  }

  /** A new container from the image that is there. */
  recreate(instance: Instance): void {
    const { creatingMs } = this.#pace;
    this.#runAgain(instance, creatingMs);
  }

  /** The same container, started again. */
  restart(instance: Instance): void {
    this.#runAgain(instance, 0);
  }

  /** The machine is gone, without notice. */
  interrupt(instance: Instance): void {
    this.#end(instance);
    this.#machines.remove(instance.machineId);
  }

  #runAgain(instance: Instance, remainingMs: number): void {
    const { allocatingMs, downloadingMs, creatingMs } = this.#pace;
    const skippedMs = allocatingMs + downloadingMs + creatingMs - remainingMs;
    const next: Instance = {
      ...instance,
      id: randomUUID(),
      version: this.#groupOf(instance).version,
      createdMs: this.#nowMs() - skippedMs,
      deletionCost: 0,
    };
    this.#machines.hand(instance.machineId, next.id);
    this.#instances.splice(this.#instances.indexOf(instance), 1, next);
  }

  /** Ends what has stopped, restarts what is of an old version, stops what is too much, adds what is missing. */
  reconcile(): void {
    const nowMs = this.#nowMs();
    for (const instance of [...this.#instances]) {
      const { stoppingSinceMs } = instance;
      if (this.#groups.byId(instance.groupId) === undefined) this.#end(instance);
      else if (stoppingSinceMs !== null && stoppingSinceMs + this.#pace.stoppingMs <= nowMs)
        this.#end(instance);
    }
    for (const group of this.#groups.all()) this.#reconcileGroup(group, nowMs);
  }

  #reconcileGroup(group: Group, nowMs: number): void {
    const wanted = !group.stopped && this.isPrepared(group) ? group.replicas : 0;
    const current = () =>
      this.#instances.filter((known) => known.groupId === group.id && known.stoppingSinceMs === null);
    for (const instance of current()) {
      if (instance.version !== group.version) this.recreate(instance);
    }
    // The lowest deletion cost goes first; of equal ones the youngest, which has done least.
    const byCost = current().sort((a, b) => a.deletionCost - b.deletionCost || b.createdMs - a.createdMs);
    for (const instance of byCost.slice(0, Math.max(0, byCost.length - wanted))) {
      if (this.#pace.stoppingMs === 0) this.#end(instance);
      else instance.stoppingSinceMs = nowMs;
    }
    for (let missing = wanted - byCost.length; missing > 0; missing--) {
      const id = randomUUID();
      const machineId = this.#machines.take(id, group.organization, nowMs);
      if (machineId === null) return;
      const { id: groupId, version } = group;
      this.#instances.push({
        id,
        machineId,
        groupId,
        version,
        createdMs: nowMs,
        stoppingSinceMs: null,
        deletionCost: 0,
      });
    }
  }

  #end(instance: Instance): void {
    this.#machines.release(instance.machineId);
    this.#instances.splice(this.#instances.indexOf(instance), 1);
  }

  #groupOf(instance: Instance): Group {
    const group = this.#groups.byId(instance.groupId);
    if (!group) throw new Error(`no group ${instance.groupId}`);
    return group;
  }

  #phases({ createdMs }: Instance): { state: InstanceState; sinceMs: number }[] {
    const { allocatingMs, downloadingMs, creatingMs } = this.#pace;
    return [
      { state: "allocating", sinceMs: createdMs },
      { state: "downloading", sinceMs: createdMs + allocatingMs },
      { state: "creating", sinceMs: createdMs + allocatingMs + downloadingMs },
      { state: "running", sinceMs: createdMs + allocatingMs + downloadingMs + creatingMs },
    ];
  }
}
