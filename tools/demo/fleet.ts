/** The nodes of the demo: agents as processes that come, get killed and are replaced. */
import { join } from "node:path";
import { type LocalAgent, startLocalAgent } from "../local-agent.ts";
import type { LocalApi } from "../local-api.ts";
import type { NodeLife } from "./judge.ts";

interface Node {
  agent: LocalAgent;
  killedMs?: number;
}

export class Fleet {
  readonly #nodes: Node[] = [];
  readonly #settings: { api: LocalApi; key: string; containerGroupId: string; directory: string };
  #stopping = false;
  /** Rejects when an agent ends though nobody killed it. */
  readonly #broken = Promise.withResolvers<never>();

  constructor(settings: { api: LocalApi; key: string; containerGroupId: string; directory: string }) {
    this.#settings = settings;
    // Whoever does not wait for it is not interested.
    this.#broken.promise.catch(() => undefined);
  }

  get broken(): Promise<never> {
    return this.#broken.promise;
  }

  /** A node with an id that was never seen before. */
  start(): string {
    if (this.#stopping) throw new Error("The fleet has been stopped");
    const machineId = `node-${this.#nodes.length + 1}`;
    const { directory, ...rest } = this.#settings;
    const agent = startLocalAgent({ ...rest, machineId, directory: join(directory, machineId) });
    const node: Node = { agent };
    this.#nodes.push(node);
    agent.exited.then(({ code, signal }) => {
      if (this.#stopping || node.killedMs !== undefined) return;
      this.#broken.reject(
        new Error(`The agent on ${machineId} ended by itself (code ${code}, signal ${signal})`),
      );
    });
    return machineId;
  }

  /** Agent and command are gone at once. Returns when: milliseconds since the epoch. */
  async kill(machineId: string): Promise<number> {
    const node = this.#nodes.find(({ agent }) => agent.machineId === machineId);
    if (!node) throw new Error(`There is no ${machineId}`);
    const killedMs = Date.now();
    node.killedMs = killedMs;
    await node.agent.kill();
    return killedMs;
  }

  alive(): Set<string> {
    return new Set(
      this.#nodes.filter(({ killedMs }) => killedMs === undefined).map(({ agent }) => agent.machineId),
    );
  }

  lives(): NodeLife[] {
    return this.#nodes.map(({ agent, killedMs }) => ({
      machine: agent.machineId,
      startedMs: agent.startedMs,
      killedMs,
    }));
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#nodes.map(({ agent }) => agent.stop()));
  }

  tails(lines: number): string {
    return this.#nodes.map(({ agent }) => `--- ${agent.machineId} ---\n${agent.tail(lines)}`).join("\n");
  }
}
