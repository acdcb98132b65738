/** The nodes: strangers' PCs. As many as are asked for, or a fixed number. */
import { randomUUID } from "node:crypto";
import { type Hardware, usualHardware } from "./hardware.ts";

/** A node that was reallocated away from stays out of that organization's pool for so long. */
const exclusionMs = 48 * 3_600_000;

interface Machine {
  id: string;
  hardware: Hardware;
  /** The instance that it runs. */
  instanceId: string | null;
  /** By organization. */
  excludedUntilMs: Map<string, number>;
}

export interface MachineSource {
  /** Machines that there are. (Default: as many as are asked for.) */
  limit?: number | undefined;
  /** (Default: random UUIDs.) */
  newId?: (() => string) | undefined;
  /** Of a machine that joins, asked once; it keeps it. (Default: `usualHardware`.) */
  hardware?: (() => Hardware) | undefined;
}

export class Machines {
  readonly #machines: Machine[] = [];
  readonly #limit: number;
  readonly #newId: () => string;
  readonly #hardware: () => Hardware;

  constructor({ limit, newId, hardware }: MachineSource = {}) {
    this.#limit = limit ?? Number.POSITIVE_INFINITY;
    this.#newId = newId ?? randomUUID;
    this.#hardware = hardware ?? (() => usualHardware);
  }

  /** A free machine for that instance; null when there is none. */
  take(instanceId: string, organization: string, nowMs: number): string | null {
    const free = ({ instanceId, excludedUntilMs }: Machine) =>
      instanceId === null && (excludedUntilMs.get(organization) ?? 0) <= nowMs;
    const machine = this.#machines.find(free) ?? this.#join();
    if (machine === null) return null;
    machine.instanceId = instanceId;
    return machine.id;
  }

  hardwareOf(machineId: string): Hardware {
    return this.#find(machineId).hardware;
  }

  /** The machine runs another instance from now on: one was restarted on it. */
  hand(machineId: string, instanceId: string): void {
    this.#find(machineId).instanceId = instanceId;
  }

  release(machineId: string): void {
    this.#find(machineId).instanceId = null;
  }

  exclude(machineId: string, organization: string, nowMs: number): void {
    this.#find(machineId).excludedUntilMs.set(organization, nowMs + exclusionMs);
  }

  /** Its owner switched it off. */
  remove(machineId: string): void {
    this.#machines.splice(this.#machines.indexOf(this.#find(machineId)), 1);
  }

  #join(): Machine | null {
    if (this.#machines.length >= this.#limit) return null;
    const machine: Machine = {
      id: this.#newId(),
      hardware: this.#hardware(),
      instanceId: null,
      excludedUntilMs: new Map(),
    };
    this.#machines.push(machine);
    return machine;
  }

  #find(id: string): Machine {
    const machine = this.#machines.find((known) => known.id === id);
    if (!machine) throw new Error(`no machine ${id}`);
    return machine;
  }
}
