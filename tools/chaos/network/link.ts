/**
 * A wire between two places: a TCP port that passes bytes on to another one, until it is cut. What is lost on it is
 * lost as on a real one: either side keeps believing in its connection, and what was held back may arrive much later.
 * It carries as much as it is given, or as its lanes do.
 */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { finished, type Writable } from "node:stream";
import type { Lane } from "./lane.ts";

/**
 * - `open`: passes everything.
 * - `refused`: live connections are reset, new ones too.
 * - `silent`: takes connections and bytes, passes nothing on in either direction.
 * - `deaf`: passes what the near side says, and holds every answer back.
 */
export type LinkState = "open" | "refused" | "silent" | "deaf";

/** As a home computer sees it: `up` to where the link leads. All connections share them; what is on its way over a lane when the link is cut arrives. */
export interface Lanes {
  up: Lane;
  down: Lane;
}

/** The near side opened the connection; the far side is where it leads. */
interface Pair {
  near: Socket;
  /** Not there while the connection was taken but not passed on. */
  far?: Far;
}

interface Far {
  socket: Socket;
  /** Where what the near side says goes in: the far socket, or a way to it. */
  up: Writable;
  /** The near socket, or a way to it. */
  down: Writable;
}

export class Link {
  readonly port: number;
  readonly #server: Server;
  readonly #target: () => number;
  readonly #lanes: Lanes | undefined;
  readonly #pairs = new Set<Pair>();
  #state: LinkState = "open";

  private constructor(server: Server, target: () => number, lanes: Lanes | undefined) {
    this.#server = server;
    this.#target = target;
    this.#lanes = lanes;
    this.port = (server.address() as AddressInfo).port;
    server.on("connection", (near) => this.#accept(near));
  }

  /** `target`: the port that it leads to, at the moment of each connection. Both ends are on the loopback. (Default of `lanes`: unlimited.) */
  static async open(target: () => number, lanes?: Lanes): Promise<Link> {
    // Either side may end its half and still be answered.
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return new Link(server, target, lanes);
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
      pair.far?.socket.destroy();
    });
    this.#apply(pair);
  }

  #apply(pair: Pair): void {
    if (this.#state === "refused") {
      destroy(pair);
      return;
    }
    if (this.#state === "silent") {
      hold(pair.near, pair.far?.up);
      hold(pair.far?.socket, pair.far?.down);
      return;
    }
    pair.far ??= this.#lead(pair);
    const { socket, up, down } = pair.far;
    if (socket.destroyed) {
      // It ended while nobody could be told.
      destroy(pair);
      return;
    }
    pass(pair.near, up);
    if (this.#state === "deaf") hold(socket, down);
    else pass(socket, down);
  }

  #lead({ near }: Pair): Far {
    const socket = connect({ port: this.#target(), host: "127.0.0.1", allowHalfOpen: true });
    const up = over(this.#lanes?.up, socket);
    const down = over(this.#lanes?.down, near);
    socket.on("error", () => undefined);
    socket.once("close", (failed) => {
      // Its end is news like any other: on a link that holds answers back the near side does not hear of it.
      if (this.#state !== "open") return;
      if (failed) near.resetAndDestroy();
      else if (down === near) near.destroySoon();
      // Its last words are still on their way.
      else finished(down.end(), () => near.destroySoon());
    });
    return { socket, up, down };
  }
}

/** What leads to that socket over the lane. */
function over(lane: Lane | undefined, to: Socket): Writable {
  if (!lane) return to;
  const way = lane.way();
  way.pipe(to);
  to.once("close", () => way.destroy());
  return way;
}

function pass(from: Socket, to: Writable): void {
  from.unpipe(to);
  from.pipe(to);
}

function hold(from: Socket | undefined, to: Writable | undefined): void {
  if (from && to) from.unpipe(to);
  from?.pause();
}

function destroy({ near, far }: Pair): void {
  near.resetAndDestroy();
  far?.socket.destroy();
}
