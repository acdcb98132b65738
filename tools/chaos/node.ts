/** One node: an agent, its wire to the API, its way to the storage, and what can happen to it. */
import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { type LocalAgent, startLocalAgent } from "../local-agent.ts";
import type { Exit } from "../processes/managed-process.ts";
import { freezeTree, sendSignal } from "../processes/tree.ts";
import type { Journal } from "./logs/journal.ts";
import { type StorageRequest, storageRequestOf } from "./logs/storage-log.ts";
import { type WireEvent, wireEventsOf } from "./logs/wire-log.ts";
import { HttpProxy } from "./network/http-proxy.ts";
import { Link, type LinkState } from "./network/link.ts";

export interface NodeSettings {
  name: string;
  apiPort: () => number;
  key: string;
  containerGroupId: string;
  directory: string;
  logDirectory: string;
  wire: Pick<Journal<WireEvent>, "append">;
  storage: Pick<Journal<StorageRequest>, "append">;
  /** Told when the agent ends though nobody has ended it. */
  onDeath: (exit: Exit) => void;
}

export class Node {
  readonly name: string;
  readonly #agent: LocalAgent;
  readonly #link: Link;
  readonly #proxies: HttpProxy[];
  #frozen: number[] = [];
  #state: "alive" | "killed" | "leaving" = "alive";
  /** What it suffers from at the moment, in words. */
  readonly ailments = new Set<string>();

  private constructor(settings: NodeSettings, link: Link, apiProxy: HttpProxy, storageProxy: HttpProxy) {
    this.name = settings.name;
    this.#link = link;
    this.#proxies = [apiProxy, storageProxy];
    this.#agent = startLocalAgent({
      api: {
        url: `http://127.0.0.1:${link.port}`,
        s3Endpoint: `http://127.0.0.1:${storageProxy.port}/cdn-cgi/local/r2/s3`,
      },
      key: settings.key,
      containerGroupId: settings.containerGroupId,
      machineId: settings.name,
      directory: join(settings.directory, settings.name),
      onLine: (line) => appendFileSync(join(settings.logDirectory, `${settings.name}.log`), `${line}\n`),
    });
    this.#agent.exited.then((exit) => {
      if (this.#state === "alive") settings.onDeath(exit);
    });
  }

  /** agent → link → the proxy that logs → API: what is lost on the link was never said, or said and never heard. */
  static async start(settings: NodeSettings): Promise<Node> {
    const { name, apiPort: target } = settings;
    const apiProxy = await HttpProxy.open({
      target,
      keepBodies: true,
      onExchange(exchange) {
        for (const event of wireEventsOf(name, exchange)) settings.wire.append(event);
      },
    });
    const storageProxy = await HttpProxy.open({
      target,
      onExchange: (exchange) => settings.storage.append(storageRequestOf(name, exchange)),
    });
    const link = await Link.open(() => apiProxy.port);
    return new Node(settings, link, apiProxy, storageProxy);
  }

  get isAlive(): boolean {
    return this.#state === "alive";
  }

  get isHealthy(): boolean {
    return this.isAlive && this.ailments.size === 0;
  }

  /** The agent and its command stand still, in the middle of whatever they do. */
  freeze(): void {
    this.#frozen = freezeTree(this.#agent.pid);
  }

  thaw(): void {
    for (const pid of this.#frozen) sendSignal(pid, "SIGCONT");
    this.#frozen = [];
  }

  /** Of the wire to the API; the storage stays within reach. */
  setLink(state: LinkState): void {
    this.#link.set(state);
  }

  /** A power cut: agent and command are gone at once. What the API has received in full, it still carries out. */
  async kill(): Promise<void> {
    this.#state = "killed";
    await this.#agent.kill();
    await this.#link.close();
  }

  /** Asks the agent to leave. Returns how it did; undefined: it was dead already. */
  async leave(graceMs: number): Promise<Exit | undefined> {
    if (!this.isAlive) return undefined;
    this.#state = "leaving";
    return this.#agent.stop(graceMs);
  }

  /** Ends what is left of it. */
  async close(): Promise<void> {
    if (this.#state === "alive") this.#state = "leaving";
    const linkOpen = this.#state !== "killed";
    await this.#agent.kill();
    if (linkOpen) await this.#link.close();
    this.#state = "killed";
    await Promise.all(this.#proxies.map((proxy) => proxy.close()));
  }

  tail(lines: number): string {
    return `--- ${this.name} ---\n${this.#agent.tail(lines)}`;
  }
}
