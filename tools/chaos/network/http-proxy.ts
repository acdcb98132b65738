/**
 * Stands in front of an HTTP server and notes what passes: each request and what became of it. It changes nothing that is
 * signed (the Host header stays the one that the client named), passes WebSockets through, and adds no patience of its own:
 * a server that is gone is a connection that breaks.
 */
import { once } from "node:events";
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";

/** One request and what became of it. Times are wall clock, in milliseconds since the epoch. */
export interface Exchange {
  /** When the head of the request had arrived. */
  headMs: number;
  method: string;
  /** Path and query. */
  path: string;
  /** When its last byte had arrived and was passed on; absent: the client gave up before, or the server was away. */
  bodyMs?: number;
  /** Absent where bodies are not kept. */
  requestBody?: string;
  /** Absent: no answer. */
  status?: number;
  /** When the last byte of the answer had arrived here, whether or not the client still listened. */
  answeredMs?: number;
  responseBody?: string;
}

export interface HttpProxyOptions {
  /** The server's port on the loopback, at the moment of each request. */
  target: () => number;
  /** Keeps the bodies of requests and answers (JSON, small) for the log. Default false. */
  keepBodies?: boolean;
  /** Told once of each request, when all is known about it that ever will be. */
  onExchange: (exchange: Exchange) => void;
}

/** More than any body worth keeping; the rest of a longer one passes without being kept. */
const keptBytes = 1024 * 1024;
/** What speaks of one connection only. */
const connectionHeaders = new Set(["connection", "keep-alive", "proxy-connection"]);

export class HttpProxy {
  readonly port: number;
  readonly #server: Server;
  readonly #options: HttpProxyOptions;
  readonly #sockets = new Set<Duplex>();
  /** Exchanges that are not told of yet. */
  readonly #open = new Set<() => void>();

  private constructor(server: Server, options: HttpProxyOptions) {
    this.#server = server;
    this.#options = options;
    this.port = (server.address() as AddressInfo).port;
    server.on("connection", (socket: Socket) => this.#own(socket));
    server.on("request", (near: IncomingMessage, answer: ServerResponse) => this.#forward(near, answer));
    server.on("upgrade", (near: IncomingMessage, socket: Duplex, head: Buffer) =>
      this.#upgrade(near, socket, head),
    );
  }

  static async open(options: HttpProxyOptions): Promise<HttpProxy> {
    // A client that is frozen in the middle of a request takes as long as it takes.
    const server = createServer({ requestTimeout: 0, headersTimeout: 0, keepAliveTimeout: 0 });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return new HttpProxy(server, options);
  }

  /** What is under way is told of as unanswered. */
  async close(): Promise<void> {
    this.#server.close();
    for (const end of this.#open) end();
    for (const socket of this.#sockets) socket.destroy();
    await once(this.#server, "close");
  }

  #forward(near: IncomingMessage, answer: ServerResponse): void {
    const exchange: Exchange = { headMs: Date.now(), method: near.method ?? "", path: near.url ?? "" };
    const end = () => {
      if (this.#open.delete(end)) this.#options.onExchange(exchange);
    };
    this.#open.add(end);
    let reached = false;
    const breakOff = () => {
      if (!reached) exchange.bodyMs = undefined;
      end();
      near.socket.destroy();
    };

    const far = request({ ...this.#destination(near), headers: this.#headersOf(near) });
    far.once("socket", (socket) => {
      socket.once("connect", () => {
        reached = true;
      });
    });
    far.on("error", breakOff);
    near.on("error", () => undefined);
    const asked = this.#keep(near);
    near.once("end", () => {
      exchange.bodyMs = Date.now();
      exchange.requestBody = asked?.();
    });
    near.once("close", () => {
      // A request that is complete is the server's to carry out, whoever still waits for its answer.
      if (exchange.bodyMs !== undefined) return;
      far.destroy();
      end();
    });
    // At once: a server may act upon a head alone.
    far.flushHeaders();
    near.pipe(far);

    far.on("response", (response) => {
      const told = this.#keep(response);
      exchange.status = response.statusCode;
      response.on("error", breakOff);
      response.once("end", () => {
        exchange.answeredMs = Date.now();
        exchange.responseBody = told?.();
        end();
      });
      // Ended without its end: half an answer is none.
      response.once("close", () => {
        if (!response.complete) breakOff();
      });
      answer.on("error", () => undefined);
      // Whoever has left must not keep the answer from being read to its end.
      answer.once("close", () => {
        response.unpipe(answer);
        response.resume();
      });
      answer.writeHead(response.statusCode ?? 502, withoutConnectionHeaders(response.rawHeaders));
      response.pipe(answer);
    });
  }

  #upgrade(near: IncomingMessage, nearSocket: Duplex, head: Buffer): void {
    const far = request({ ...this.#destination(near), headers: near.rawHeaders });
    nearSocket.on("error", () => undefined);
    far.on("error", () => nearSocket.destroy());
    nearSocket.once("close", () => far.destroy());
    far.on("response", (response) => {
      // No upgrade: the answer is passed on in the shape that it has on the wire, and the connection ends with it.
      nearSocket.write(headOf(response));
      response.pipe(nearSocket);
    });
    far.on("upgrade", (response, farSocket, farHead) => {
      this.#own(farSocket);
      nearSocket.write(headOf(response));
      nearSocket.write(farHead);
      farSocket.write(head);
      farSocket.on("error", () => nearSocket.destroy());
      nearSocket.once("close", () => farSocket.destroy());
      farSocket.once("close", () => nearSocket.destroy());
      farSocket.pipe(nearSocket);
      nearSocket.pipe(farSocket);
    });
    far.end();
  }

  /** A connection for each request: a kept one might have died with an earlier life of the server. */
  #destination({ method, url }: IncomingMessage) {
    return { host: "127.0.0.1", port: this.#options.target(), method, path: url, agent: false as const };
  }

  #headersOf(near: IncomingMessage): string[] {
    const headers = withoutConnectionHeaders(near.rawHeaders);
    // Bodies that are kept must be legible.
    if (!this.#options.keepBodies) return headers;
    return withoutHeaders(headers, (name) => name === "accept-encoding");
  }

  /** Returns what tells the body once it is complete. */
  #keep(message: IncomingMessage): (() => string) | undefined {
    if (!this.#options.keepBodies) return undefined;
    const chunks: Buffer[] = [];
    let bytes = 0;
    message.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= keptBytes) chunks.push(chunk);
    });
    return () => Buffer.concat(chunks).toString("utf8");
  }

  #own(socket: Duplex): void {
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
  }
}

function withoutHeaders(rawHeaders: string[], unwanted: (name: string) => boolean): string[] {
  const kept: string[] = [];
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const [name = "", value = ""] = rawHeaders.slice(at, at + 2);
    if (!unwanted(name.toLowerCase())) kept.push(name, value);
  }
  return kept;
}

const withoutConnectionHeaders = (rawHeaders: string[]) =>
  withoutHeaders(rawHeaders, (name) => connectionHeaders.has(name));

function headOf({ statusCode, statusMessage, rawHeaders }: IncomingMessage): string {
  const lines = [`HTTP/1.1 ${statusCode} ${statusMessage}`];
  for (let at = 0; at < rawHeaders.length; at += 2) lines.push(`${rawHeaders[at]}: ${rawHeaders[at + 1]}`);
  return `${lines.join("\r\n")}\r\n\r\n`;
}
