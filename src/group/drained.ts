/** Machines that shall claim no more: kept in the object's storage, since a deploy drops all sockets. */

/** A machine that nobody has sent `resume` for so long is most likely gone for good. */
const keptMs = 24 * 3_600_000;
/** Four times a group's replicas; with ids of 256 characters still below the storage's 2 MB per value. */
const maxMachines = 2_000;
const storageKey = "drained_machines";

export class Drained {
  readonly #storage: DurableObjectStorage;
  /** Since when, by machine id, oldest first; null: not read in this life yet. */
  #sinceMs: Map<string, number> | null = null;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
  }

  has(machineId: string): boolean {
    return this.#read().has(machineId);
  }

  add(machineIds: string[], nowMs: number): void {
    const machines = this.#read();
    for (const [machineId, sinceMs] of machines) {
      if (sinceMs < nowMs - keptMs) machines.delete(machineId);
    }
    for (const machineId of machineIds) {
      machines.delete(machineId);
      machines.set(machineId, nowMs);
    }
    this.#write([...machines].slice(-maxMachines));
  }

  remove(machineIds: string[]): void {
    const gone = new Set(machineIds);
    this.#write([...this.#read()].filter(([machineId]) => !gone.has(machineId)));
  }

  #read(): Map<string, number> {
    this.#sinceMs ??= new Map(this.#storage.kv.get<[string, number][]>(storageKey) ?? []);
    return this.#sinceMs;
  }

  #write(machines: [string, number][]): void {
    this.#sinceMs = new Map(machines);
    if (machines.length === 0) this.#storage.kv.delete(storageKey);
    else this.#storage.kv.put(storageKey, machines);
  }
}
