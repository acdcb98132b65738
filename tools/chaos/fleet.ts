/** The nodes that there are and were. Each has a name that no other had. */
import { Node, type NodeSettings } from "./node.ts";

export type FleetSettings = Omit<NodeSettings, "name" | "onDeath">;

export class Fleet {
  readonly #settings: FleetSettings;
  readonly #nodes: Node[] = [];
  readonly #broken = Promise.withResolvers<never>();
  #started = 0;
  #closed = false;

  constructor(settings: FleetSettings) {
    this.#settings = settings;
    // Whoever does not wait for it is not interested.
    this.#broken.promise.catch(() => undefined);
  }

  /** Rejects when an agent ends though nobody has ended it: no fault and no job may do that. */
  get broken(): Promise<never> {
    return this.#broken.promise;
  }

  async start(): Promise<Node> {
    this.#started += 1;
    const name = `node-${String(this.#started).padStart(2, "0")}`;
    const node = await Node.start({
      ...this.#settings,
      name,
      onDeath: ({ code, signal }) =>
        this.#broken.reject(
          new Error(`The agent on ${name} ended by itself (code ${code}, signal ${signal})`),
        ),
    });
    this.#nodes.push(node);
    // Stopped while it started.
    if (this.#closed) await node.close();
    return node;
  }

  alive(): Node[] {
    return this.#nodes.filter((node) => node.isAlive);
  }

  /** Every agent is asked to leave. Returns those that had to be made to, or left with a code other than 0, in words. */
  async leave(graceMs: number): Promise<string[]> {
    const exits = await Promise.all(
      this.alive().map(async (node) => ({ name: node.name, exit: await node.leave(graceMs) })),
    );
    return exits
      .filter(({ exit }) => exit !== undefined && exit.code !== 0)
      .map(({ name, exit }) => `${name} was asked to leave and ended with ${exit?.signal ?? exit?.code}`);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#nodes.map((node) => node.close()));
  }

  tails(lines: number): string {
    return this.alive()
      .map((node) => node.tail(lines))
      .join("\n");
  }
}
