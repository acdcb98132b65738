/**
 * Stands between an agent and a storage, over HTTP, and does to requests what networks and overloaded storages do. Hosts and headers are
 * passed on as they came, so signatures stay good.
 */
import { createServer, request as forward, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

export type ProxyFault =
  /** Answered here; the storage hears nothing. */
  | { kind: "answer"; status: number; code: string }
  /** The connection is reset before a byte of the body has been passed on. */
  | { kind: "reset" }
  /** The connection is reset after so many bytes of the request's body. */
  | { kind: "breaksUp"; afterBytes: number }
  /** The connection is reset after so many bytes of the answer's body. */
  | { kind: "breaksDown"; afterBytes: number }
  /** The answer ends, in all politeness, after so many bytes. */
  | { kind: "truncates"; afterBytes: number }
  /** One bit of the answer's body is another one, each time the one of another byte. */
  | { kind: "flipsDown"; atByte: number }
  /** The same in the request's body. */
  | { kind: "flipsUp"; atByte: number }
  /** The answer stops after so many bytes, and nothing more comes. */
  | { kind: "stalls"; afterBytes: number }
  /** The answer comes slowly. */
  | { kind: "trickles"; bytesPerSecond: number }
  /** Carried out, but the answer never arrives. */
  | { kind: "losesAnswer" };

export interface Passing {
  method: string;
  url: string;
  headers: IncomingMessage["headers"];
}

export class FaultProxy {
  /** Asked in turn for each request; the first fault counts. */
  readonly faults: ((request: Passing) => ProxyFault | undefined)[] = [];
  readonly requests: Passing[] = [];
  /** Of the faults that struck. */
  struck = 0;
  /** All request bodies together go no faster; undefined: as they come. */
  uplinkBytesPerSecond: number | undefined;
  #uplinkFreeMs = 0;
  readonly #upstream: (path: string) => string;
  readonly #server = createServer((request, response) => {
    this.#pass(request, response).catch(() => response.destroy());
  });

  private constructor(upstream: (path: string) => string) {
    this.#upstream = upstream;
  }

  /** `upstream`: an origin without a path, or which one a path belongs to. */
  static async before(upstream: string | ((path: string) => string)): Promise<FaultProxy> {
    const proxy = new FaultProxy(typeof upstream === "string" ? () => upstream : upstream);
    await new Promise<void>((resolve) => proxy.#server.listen(0, "127.0.0.1", resolve));
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** The fault strikes the first so many requests that are meant. */
  strike(count: number, fault: ProxyFault, meant: (request: Passing) => boolean): void {
    let struck = 0;
    this.faults.push((request) => (meant(request) && struck++ < count ? fault : undefined));
  }

  async #pass(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const request = { method: message.method ?? "", url: message.url ?? "", headers: message.headers };
    this.requests.push(request);
    const fault = this.faults.map((rule) => rule(request)).find((found) => found !== undefined);
    if (fault) this.struck += 1;
    if (fault?.kind === "reset") {
      message.socket.resetAndDestroy();
      return;
    }
    if (fault?.kind === "answer") {
      for await (const _ of message);
      const body = `<Error><Code>${fault.code}</Code><Message>as the test wished</Message></Error>`;
      response.writeHead(fault.status, { "content-type": "application/xml" }).end(body);
      return;
    }
    const up = forward(`${this.#upstream(request.url)}${request.url}`, {
      method: request.method,
      headers: message.headers,
      setHost: false,
      agent: false,
    });
    message.on("error", () => up.destroy());
    response.on("close", () => up.destroy());
    const answered = new Promise<IncomingMessage>((resolve, reject) =>
      up.on("response", resolve).on("error", reject),
    );
    answered.catch(() => {});
    await this.#up(message, up, fault);
    await this.#down(await answered, response, fault);
  }

  async #up(
    message: IncomingMessage,
    up: NodeJS.WritableStream,
    fault: ProxyFault | undefined,
  ): Promise<void> {
    const at = fault?.kind === "flipsUp" ? fault.atByte + this.struck : 0;
    let seen = 0;
    for await (const chunk of message as AsyncIterable<Buffer>) {
      if (fault?.kind === "breaksUp" && seen + chunk.byteLength > fault.afterBytes) {
        message.socket.resetAndDestroy();
        return;
      }
      if (fault?.kind === "flipsUp") flip(chunk, at - seen);
      seen += chunk.byteLength;
      await this.#uplink(chunk.byteLength);
      if (!up.write(chunk)) await new Promise((resolve) => up.once("drain", resolve));
    }
    up.end();
  }

  /** One line for all: whoever comes has to wait until what came before has gone. */
  async #uplink(bytes: number): Promise<void> {
    if (this.uplinkBytesPerSecond === undefined) return;
    const nowMs = performance.now();
    this.#uplinkFreeMs = Math.max(nowMs, this.#uplinkFreeMs) + (bytes * 1000) / this.uplinkBytesPerSecond;
    await delay(this.#uplinkFreeMs - nowMs);
  }

  async #down(
    answer: IncomingMessage,
    response: ServerResponse,
    fault: ProxyFault | undefined,
  ): Promise<void> {
    if (fault?.kind === "losesAnswer") {
      for await (const _ of answer);
      response.socket?.resetAndDestroy();
      return;
    }
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    const cuts = fault?.kind === "breaksDown" || fault?.kind === "truncates" || fault?.kind === "stalls";
    const at = fault?.kind === "flipsDown" ? fault.atByte + this.struck : 0;
    let seen = 0;
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      if (fault?.kind === "flipsDown") flip(chunk, at - seen);
      const left = cuts ? fault.afterBytes - seen : chunk.byteLength;
      const passed = chunk.subarray(0, left);
      seen += passed.byteLength;
      if (fault?.kind === "trickles") {
        await trickle(passed, response, fault.bytesPerSecond);
        continue;
      }
      if (!response.write(passed)) await new Promise((resolve) => response.once("drain", resolve));
      if (!cuts || seen < fault.afterBytes) continue;
      if (fault.kind === "stalls") return;
      // What was written must have left before the connection goes.
      await new Promise((resolve) => response.write("", resolve));
      if (fault.kind === "truncates") response.socket?.end();
      else response.socket?.resetAndDestroy();
      return;
    }
    response.end();
  }
}

const dropBytes = 4096;

async function trickle(chunk: Buffer, response: ServerResponse, bytesPerSecond: number): Promise<void> {
  for (let from = 0; from < chunk.byteLength; from += dropBytes) {
    await delay((dropBytes * 1000) / bytesPerSecond);
    response.write(chunk.subarray(from, from + dropBytes));
  }
}

function flip(chunk: Buffer, at: number): void {
  if (at >= 0 && at < chunk.byteLength) chunk[at] = (chunk[at] ?? 0) ^ 1;
}
