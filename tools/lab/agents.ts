/**
 * Real agents in the instances of a simulated SaladCloud: a process each, with the variables that SaladCloud sets and the metadata service of
 * its instance. Taken away it gets SIGTERM, and SIGKILL when its time is over; a machine that vanishes is SIGKILL at once, or a zombie: frozen
 * for a while, then alive for a while beside its replacement.
 */
import { appendFileSync } from "node:fs";
import { join } from "node:path";
import type { Cloud } from "../../test/salad/cloud.ts";
import type { Instance, InstanceEnd, InstanceWatcher } from "../../test/salad/instances.ts";
import type { Random } from "../../test/simulation/world/random.ts";
import { type LocalAgent, startLocalAgent } from "../local-agent.ts";
import type { LocalApi } from "../local-api.ts";
import { freezeTree, sendSignal } from "../processes/tree.ts";

export interface AgentsSettings {
  cloud: Cloud;
  random: Random;
  directory: string;
  logDirectory: string;
  /** Known once the API is up; no instance runs before. */
  api(): { api: Pick<LocalApi, "url" | "s3Endpoint">; key: string };
  imdsUrl(instanceId: string): string;
  /** Of machines that vanish. */
  zombieShare: number;
  frozenMs: number;
  /** How long a zombie goes on after it has woken. */
  zombieMs: number;
  tell(text: string): void;
}

export interface Container {
  instance: Instance;
  agent: LocalAgent;
  state: "running" | "stopping" | "zombie" | "gone";
}

export class Agents implements InstanceWatcher {
  /** When scale-in began to take an instance away. */
  readonly taken = new Map<string, number>();
  interruptions = 0;
  zombies = 0;
  started = 0;
  readonly #settings: AgentsSettings;
  readonly #containers = new Map<string, Container>();
  readonly #timers = new Set<NodeJS.Timeout>();
  #over = false;

  constructor(settings: AgentsSettings) {
    this.#settings = settings;
  }

  /** Those whose process is there. */
  get containers(): Container[] {
    return [...this.#containers.values()].filter(({ state }) => state !== "gone");
  }

  /** Of all that there were. */
  get pids(): number[] {
    return [...this.#containers.values()].map(({ agent }) => agent.pid);
  }

  runs(instance: Instance): void {
    if (this.#over) return;
    const { cloud, directory, logDirectory, imdsUrl, tell } = this.#settings;
    const group = cloud.groups.byId(instance.groupId);
    if (!group) return;
    this.started++;
    const agent = startLocalAgent({
      ...this.#settings.api(),
      containerGroupId: group.id,
      machineId: instance.machineId,
      // A container's file system is its own.
      directory: join(directory, instance.id),
      env: {
        KELPIE_IMDS_URL: imdsUrl(instance.id),
        SALAD_INSTANCE_ID: instance.id,
        SALAD_ORGANIZATION_NAME: group.organization,
        SALAD_PROJECT_NAME: group.project,
      },
      onLine: (line) => appendFileSync(join(logDirectory, `${instance.id}.log`), `${line}\n`),
    });
    const container: Container = { instance, agent, state: "running" };
    this.#containers.set(instance.id, container);
    tell(`+ ${nameOf(instance)} runs`);
    agent.exited.then(() => this.#exited(container));
  }

  stops(instance: Instance): void {
    const container = this.#containers.get(instance.id);
    if (!container) return;
    container.state = "stopping";
    this.taken.set(instance.id, Date.now());
    this.#settings.tell(`− ${nameOf(instance)} is taken away`);
    container.agent.signal("SIGTERM");
  }

  ended(instance: Instance, how: InstanceEnd): void {
    if (how === "taken" && !this.taken.has(instance.id)) this.taken.set(instance.id, Date.now());
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
    this.#kill(container);
  }

  /** Ends all that is left. */
  async close(): Promise<void> {
    this.#over = true;
    for (const timer of this.#timers) clearTimeout(timer);
    await Promise.all([...this.#containers.values()].map(({ agent }) => agent.kill()));
  }

  tails(lines: number): string {
    return [...this.#containers.values()]
      .slice(-6)
      .map(({ instance, agent }) => `--- ${nameOf(instance)} ---\n${agent.tail(lines)}`)
      .join("\n");
  }

  #haunt(container: Container): void {
    const { frozenMs, zombieMs, tell } = this.#settings;
    this.zombies++;
    container.state = "zombie";
    tell(`☠ ${nameOf(container.instance)} vanishes, frozen, and will come back as a zombie`);
    const frozen = freezeTree(container.agent.pid);
    this.#after(frozenMs, () => {
      for (const pid of frozen) sendSignal(pid, "SIGCONT");
    });
    this.#after(frozenMs + zombieMs, () => this.#kill(container));
  }

  #kill(container: Container): void {
    container.state = "gone";
    void container.agent.kill();
  }

  /** By itself: SaladCloud starts the container again. */
  #exited(container: Container): void {
    const wasRunning = container.state === "running";
    container.state = "gone";
    if (!wasRunning || this.#over) return;
    const { cloud, tell } = this.#settings;
    tell(`↻ ${nameOf(container.instance)} has ended by itself and is started again`);
    const instance = cloud.instances.byId(container.instance.id);
    if (instance) cloud.instances.restart(instance);
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
