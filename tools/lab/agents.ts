/**
 * Real agents in the instances of a simulated SaladCloud: a process each, with the variables that SaladCloud sets and the metadata service of
 * its instance, on its machine's hardware. Taken away it gets SIGTERM, and SIGKILL when its time is over; a machine that vanishes is SIGKILL at
 * once, or a zombie: frozen for a while, then alive for a while beside its replacement.
 */
import { join } from "node:path";
import type { Cloud } from "../../test/salad/cloud.ts";
import type { Hardware } from "../../test/salad/hardware.ts";
import type { Instance, InstanceEnd, InstanceWatcher } from "../../test/salad/instances.ts";
import type { Random } from "../../test/simulation/world/random.ts";
import type { LocalApi } from "../local-api.ts";
import { Container, hardwareInWords } from "./container.ts";

export interface AgentsSettings {
  cloud: Cloud;
  random: Random;
  directory: string;
  logDirectory: string;
  /** Known once the API is up; no instance runs before. */
  api(): { api: Pick<LocalApi, "port" | "s3Endpoint">; key: string };
  imdsUrl(instanceId: string): string;
  /** Of machines that vanish. */
  zombieShare: number;
  frozenMs: number;
  /** How long a zombie goes on after it has woken. */
  zombieMs: number;
  tell(text: string): void;
}

/** Ended ones whose last lines are kept. */
const keptTails = 6;

export class Agents implements InstanceWatcher {
  /** When scale-in began to take an instance away; of those that ran. */
  readonly taken = new Map<string, number>();
  /** Taken by scale-in before they ran. */
  takenEarly = 0;
  interruptions = 0;
  zombies = 0;
  started = 0;
  /** Bytes over the lines of those that have ended. */
  #upBytes = 0;
  #downBytes = 0;
  /** By machine: all that ever ran an agent. */
  readonly hardware = new Map<string, Hardware>();
  /** Rejects when one could not be started. */
  readonly failed: Promise<never>;
  readonly #fail: (error: unknown) => void;
  readonly #settings: AgentsSettings;
  readonly #containers = new Map<string, Container>();
  #endedPids: number[] = [];
  #lastEnded: Container[] = [];
  readonly #timers = new Set<NodeJS.Timeout>();
  #over = false;

  constructor(settings: AgentsSettings) {
    this.#settings = settings;
    const { promise, reject } = Promise.withResolvers<never>();
    promise.catch(() => undefined);
    this.failed = promise;
    this.#fail = reject;
  }

  /** Those that have not ended. */
  get containers(): Container[] {
    return [...this.#containers.values()].filter(({ state }) => state !== "gone");
  }

  /** Of all that there were. */
  get pids(): number[] {
    const alive = [...this.#containers.values()].map(({ pid }) => pid);
    return [...this.#endedPids, ...alive.filter((pid) => pid !== undefined)];
  }

  /** Over the lines of all that there were. */
  get bytes(): { up: number; down: number } {
    const sum = { up: this.#upBytes, down: this.#downBytes };
    for (const { lanes } of this.#containers.values()) {
      sum.up += lanes.up.bytes;
      sum.down += lanes.down.bytes;
    }
    return sum;
  }

  runs(instance: Instance): void {
    if (this.#over) return;
    const { cloud, directory, logDirectory, imdsUrl, tell } = this.#settings;
    const group = cloud.groups.byId(instance.groupId);
    if (!group) return;
    this.started++;
    const hardware = cloud.machines.hardwareOf(instance.machineId);
    this.hardware.set(instance.machineId, hardware);
    const container = new Container({
      ...this.#settings.api(),
      instance,
      hardware,
      env: {
        KELPIE_IMDS_URL: imdsUrl(instance.id),
        SALAD_INSTANCE_ID: instance.id,
        SALAD_ORGANIZATION_NAME: group.organization,
        SALAD_PROJECT_NAME: group.project,
      },
      // A container's file system is its own.
      directory: join(directory, instance.id),
      logPath: join(logDirectory, `${instance.id}.log`),
    });
    this.#containers.set(instance.id, container);
    tell(`+ ${nameOf(instance)} runs (${hardwareInWords(hardware)})`);
    container.exited.then(({ byItself }) => this.#exited(container, byItself), this.#fail);
  }

  stops(instance: Instance): void {
    const container = this.#containers.get(instance.id);
    if (!container) return;
    this.taken.set(instance.id, Date.now());
    this.#settings.tell(`− ${nameOf(instance)} is taken away`);
    container.terminate();
  }

  ended(instance: Instance, how: InstanceEnd): void {
    if (how === "taken") this.#noteTaken(instance);
    const container = this.#containers.get(instance.id);
    if (!container || container.state === "gone") return;
    if (how === "interrupted") {
      this.interruptions++;
      if (this.#settings.random.chance(this.#settings.zombieShare)) {
        this.#haunt(container);
        return;
      }
      this.#settings.tell(`✗ ${nameOf(instance)} vanishes`);
    }
    void container.kill();
  }

  /** Ends all that is left. */
  async close(): Promise<void> {
    this.#over = true;
    for (const timer of this.#timers) clearTimeout(timer);
    await Promise.allSettled([...this.#containers.values()].map((container) => container.kill()));
  }

  tails(lines: number): string {
    return [...this.#lastEnded, ...this.#containers.values()]
      .slice(-keptTails)
      .map((container) => `--- ${nameOf(container.instance)} ---\n${container.tail(lines)}`)
      .join("\n");
  }

  #noteTaken(instance: Instance): void {
    if (instance.announced) {
      // Without a stop before: told of no earlier moment.
      if (!this.taken.has(instance.id)) this.taken.set(instance.id, Date.now());
      return;
    }
    this.takenEarly++;
    this.#settings.tell(`− ${nameOf(instance)} is taken away before it runs`);
  }

  #haunt(container: Container): void {
    const { frozenMs, zombieMs, tell } = this.#settings;
    this.zombies++;
    tell(`☠ ${nameOf(container.instance)} vanishes, frozen, and will come back as a zombie`);
    container.freeze();
    this.#after(frozenMs, () => container.thaw());
    this.#after(frozenMs + zombieMs, () => void container.kill());
  }

  #exited(container: Container, byItself: boolean): void {
    const { instance, lanes, pid } = container;
    this.#containers.delete(instance.id);
    this.#upBytes += lanes.up.bytes;
    this.#downBytes += lanes.down.bytes;
    if (pid !== undefined) this.#endedPids.push(pid);
    this.#lastEnded = [...this.#lastEnded, container].slice(-keptTails);
    if (!byItself || this.#over) return;
    // SaladCloud starts the container again.
    const { cloud, tell } = this.#settings;
    tell(`↻ ${nameOf(instance)} has ended by itself and is started again`);
    const there = cloud.instances.byId(instance.id);
    if (there) cloud.instances.restart(there);
    cloud.instances.reconcile();
  }

  #after(ms: number, work: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      work();
    }, ms);
    this.#timers.add(timer);
  }
}

/** Short, for people. */
export const nameOf = ({ machineId }: Pick<Instance, "machineId">) => machineId.slice(0, 8);
