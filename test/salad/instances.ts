/**
 * What runs of the groups. A state machine over a clock: whoever drives it (a timer in real time, the schedule in virtual time) reconciles it at
 * `nextChangeMs`, and so does each look and the end of each request.
 * An instance is `allocating`, then `downloading`, `creating`, `running`, each for as long as its pace says; then it runs until it is taken away
 * or its machine vanishes.
 */
import type { InstanceState } from "./controls.ts";
import type { Group, Groups } from "./groups.ts";
import type { Machines } from "./machines.ts";
import { atOnce, type Pace, type PaceSource } from "./pace.ts";

/** One run of a container on one machine; a restart on the same machine is another. */
export interface Instance {
  id: string;
  machineId: string;
  groupId: string;
  version: number;
  pace: Pace;
  /** When it began to wait for what comes first; a restart skips what is already there. */
  createdMs: number;
  stoppingSinceMs: number | null;
  /** Its watcher knows that it runs. */
  announced: boolean;
  /** When its machine vanishes. */
  vanishesMs: number;
  /** As it was set: IMDS takes any int32. */
  deletionCost: number;
}

/**
 * - `taken`: fewer replicas, a stop, or the group's removal.
 * - `interrupted`: the machine vanished.
 * - `moved`: reallocated, recreated or restarted.
 */
export type InstanceEnd = "taken" | "interrupted" | "moved";

/** Who gives instances a life: an agent's process, or a simulated one. Told in the step in which it happens; must not ask back in it. */
export interface InstanceWatcher {
  /** Its container runs from now on. */
  runs(instance: Instance): void;
  /** It is to go, and has `pace.stoppingMs` left. */
  stops(instance: Instance): void;
  /** Also of instances that never ran. */
  ended(instance: Instance, how: InstanceEnd): void;
}

const nobody: InstanceWatcher = { runs: () => {}, stops: () => {}, ended: () => {} };

export class Instances {
  watcher: InstanceWatcher = nobody;
  readonly #instances: Instance[] = [];
  readonly #groups: Groups;
  readonly #machines: Machines;
  readonly #pace: PaceSource;
  readonly #nowMs: () => number;
  readonly #newId: () => string;

  constructor(
    groups: Groups,
    machines: Machines,
    { pace, nowMs, newId }: { pace: PaceSource; nowMs: () => number; newId: () => string },
  ) {
    this.#groups = groups;
    this.#machines = machines;
    this.#pace = pace;
    this.#nowMs = nowMs;
    this.#newId = newId;
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
    return phasesOf(instance).findLast(({ sinceMs }) => sinceMs <= this.#nowMs())?.state ?? "allocating";
  }

  /** When it came into its state. */
  updatedMs(instance: Instance): number {
    if (instance.stoppingSinceMs !== null) return instance.stoppingSinceMs;
    const phase = phasesOf(instance).findLast(({ sinceMs }) => sinceMs <= this.#nowMs());
    return phase?.sinceMs ?? instance.createdMs;
  }

  /** Whether the group's image is stored, so that instances may be allocated. */
  isPrepared(group: Group): boolean {
    return this.#nowMs() >= group.preparedMs;
  }

  /** When something happens by itself next; null: nothing will. */
  nextChangeMs(): number | null {
    const nowMs = this.#nowMs();
    const times = [
      ...this.#instances.map((instance) => {
        const { stoppingSinceMs, announced, vanishesMs, pace } = instance;
        if (stoppingSinceMs !== null) return Math.min(stoppingSinceMs + pace.stoppingMs, vanishesMs);
        return announced ? vanishesMs : runsMs(instance);
      }),
      ...this.#groups
        .all()
        .filter(({ stopped }) => !stopped)
        .map(({ preparedMs }) => preparedMs)
        .filter((preparedMs) => preparedMs > nowMs),
    ].filter(Number.isFinite);
    return times.length === 0 ? null : Math.min(...times);
  }

  /** Another machine, and none of the old one's for 48 hours. */
  reallocate(instance: Instance): void {
    const group = this.#groupOf(instance);
    this.#machines.exclude(instance.machineId, group.organization, this.#nowMs());
    this.#end(instance, "moved");
  }

  /** A new container from the image that is there. */
  recreate(instance: Instance): void {
    this.#runAgain(instance, instance.pace.creatingMs);
  }

  /** The same container, started again. */
  restart(instance: Instance): void {
    this.#runAgain(instance, 0);
  }

  /** The machine is gone, without notice. */
  interrupt(instance: Instance): void {
    this.#end(instance, "interrupted");
    this.#machines.remove(instance.machineId);
  }

  #runAgain(instance: Instance, remainingMs: number): void {
    const { allocatingMs, downloadingMs, creatingMs } = instance.pace;
    const skippedMs = allocatingMs + downloadingMs + creatingMs - remainingMs;
    const next: Instance = {
      ...instance,
      id: this.#newId(),
      version: this.#groupOf(instance).version,
      createdMs: this.#nowMs() - skippedMs,
      announced: false,
      deletionCost: 0,
    };
    this.#machines.hand(instance.machineId, next.id);
    this.#instances.splice(this.#instances.indexOf(instance), 1, next);
    this.watcher.ended(instance, "moved");
  }

  /** Ends what has stopped or vanished, restarts what is of an old version, stops what is too much, adds what is missing. */
  reconcile(): void {
    const nowMs = this.#nowMs();
    for (const instance of [...this.#instances]) {
      const { stoppingSinceMs, vanishesMs, pace } = instance;
      if (this.#groups.byId(instance.groupId) === undefined) this.#end(instance, "taken");
      else if (stoppingSinceMs !== null && stoppingSinceMs + pace.stoppingMs <= nowMs)
        this.#end(instance, "taken");
      else if (vanishesMs <= nowMs) this.interrupt(instance);
    }
    for (const group of this.#groups.all()) this.#reconcileGroup(group, nowMs);
    for (const instance of this.#instances) {
      if (instance.announced || instance.stoppingSinceMs !== null || runsMs(instance) > nowMs) continue;
      instance.announced = true;
      this.watcher.runs(instance);
    }
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
      // What does not run yet has nothing to stop.
      if (instance.pace.stoppingMs === 0 || !instance.announced) this.#end(instance, "taken");
      else {
        instance.stoppingSinceMs = nowMs;
        this.watcher.stops(instance);
      }
    }
    for (let missing = wanted - byCost.length; missing > 0; missing--) {
      const id = this.#newId();
      const machineId = this.#machines.take(id, group.organization, nowMs);
      if (machineId === null) return;
      const { id: groupId, version } = group;
      const pace = this.#newPace();
      const instance: Instance = {
        id,
        machineId,
        groupId,
        version,
        pace,
        createdMs: nowMs,
        stoppingSinceMs: null,
        announced: false,
        vanishesMs: Number.POSITIVE_INFINITY,
        deletionCost: 0,
      };
      instance.vanishesMs = runsMs(instance) + pace.livesMs;
      this.#instances.push(instance);
    }
  }

  #end(instance: Instance, how: InstanceEnd): void {
    this.#machines.release(instance.machineId);
    this.#instances.splice(this.#instances.indexOf(instance), 1);
    this.watcher.ended(instance, how);
  }

  #newPace(): Pace {
    return { ...atOnce, ...(typeof this.#pace === "function" ? this.#pace() : this.#pace) };
  }

  #groupOf(instance: Instance): Group {
    const group = this.#groups.byId(instance.groupId);
    if (!group) throw new Error(`no group ${instance.groupId}`);
    return group;
  }
}

function phasesOf({ createdMs, pace }: Instance): { state: InstanceState; sinceMs: number }[] {
  const { allocatingMs, downloadingMs, creatingMs } = pace;
  return [
    { state: "allocating", sinceMs: createdMs },
    { state: "downloading", sinceMs: createdMs + allocatingMs },
    { state: "creating", sinceMs: createdMs + allocatingMs + downloadingMs },
    { state: "running", sinceMs: createdMs + allocatingMs + downloadingMs + creatingMs },
  ];
}

/** When it runs, if nothing comes in between. */
function runsMs({ createdMs, pace }: Instance): number {
  return createdMs + pace.allocatingMs + pace.downloadingMs + pace.creatingMs;
}
