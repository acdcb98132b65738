/**
 * A wire between two places: a TCP port that passes bytes on to another one, until it is cut. What is lost on it is
 * lost as on a real one: either side keeps believing in its connection, and what was held back may arrive much later.
 */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/**
 * - `open`: passes everything.
 * - `refused`: live connections are reset, new ones too.
 * - `silent`: takes connections and bytes, passes nothing on in either direction.
 * - `deaf`: passes what the near side says, and holds every answer back.
 */
export type LinkState = "open" | "refused" | "silent" | "deaf";

/** The near side opened the connection; the far side is where it leads. */
interface Pair {
  near: Socket;
  /** Not there while the connection was taken but not passed on. */
  far?: Socket;
}

export class Link {
  readonly port: number;
  readonly #server: Server;
  readonly #target: () => number;
  readonly #pairs = new Set<Pair>();
  #state: LinkState = "open";

  private constructor(server: Server, target: () => number) {
    this.#server = server;
    this.#target = target;
    this.port = (server.address() as AddressInfo).port;
    server.on("connection", (near) => this.#accept(near));
  }

  /** `target`: the port that it leads to, at the moment of each connection. Both ends are on the loopback. */
  static async open(target: () => number): Promise<Link> {
    // Either side may end its half and still be answered.
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return new Link(server, target);
  }

  get state(): LinkState {
    return this.#state;
  }

  /** What was held back goes on its way when the link opens again. */
  set(state: LinkState): void {
    this.#state = state;
    for (const pair of this.#pairs) this.#apply(pair);
  }

  async close(): Promise<void> {
    this.#server.close();
    for (const pair of this.#pairs) destroy(pair);
    await once(this.#server, "close");
  }

  #accept(near: Socket): void {
    const pair: Pair = { near };
    this.#pairs.add(pair);
    near.on("error", () => undefined);
    near.once("close", () => {
      this.#pairs.delete(pair);
      pair.far?.destroy();
    });
    this.#apply(pair);
  }

  #apply(pair: Pair): void {
    if (this.#state === "refused") {
      destroy(pair);
      return;
    }
    if (this.#state === "silent") {
      hold(pair.near, pair.far);
      hold(pair.far, pair.near);
      return;
    }
    pair.far ??= this.#lead(pair);
    if (pair.far.destroyed) {
      // It ended while nobody could be told.
      destroy(pair);
      return;
    }
    pass(pair.near, pair.far);
    if (this.#state === "deaf") hold(pair.far, pair.near);
    else pass(pair.far, pair.near);
  }

  #lead({ near }: Pair): Socket {
    const far = connect({ port: this.#target(), host: "127.0.0.1", allowHalfOpen: true });
    far.on("error", () => undefined);
    far.once("close", (failed) => {
      // Its end is news like any other: on a link that holds answers back the near side does not hear of it.
      if (this.#state !== "open") return;
      if (failed) near.resetAndDestroy();
      else near.destroySoon();
    });
    return far;
  }
}

function pass(from: Socket, to: Socket): void {
  from.unpipe(to);
  from.pipe(to);
}

function hold(from: Socket | undefined, to: Socket | undefined): void {
  if (from && to) from.unpipe(to);
  from?.pause();
}

function destroy({ near, far }: Pair): void {
  near.resetAndDestroy();
  far?.destroy();
}
