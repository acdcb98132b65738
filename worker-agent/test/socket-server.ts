/**
 * The API's side of agents' sockets: as much of RFC 6455 as short texts need, over real TCP. Tests await what agents say and
 * tell them what they like.
 */
import { createHash } from "node:crypto";
import type { IncomingMessage, Server } from "node:http";
import type { Duplex } from "node:stream";
import {
  AgentMessage,
  type ServerMessage,
  SocketQuery,
  socketPing,
  socketPong,
} from "../../src/contract/index.ts";

const opcodes = { text: 1, close: 8 };

export class AgentSocket {
  readonly path: string;
  readonly query: SocketQuery;
  readonly headers: IncomingMessage["headers"];
  readonly said: AgentMessage["type"][] = [];
  pings = 0;
  readonly #stream: Duplex;
  readonly #server: SocketServer;
  #unread = Buffer.alloc(0);

  constructor(stream: Duplex, request: IncomingMessage, server: SocketServer) {
    this.#stream = stream;
    this.#server = server;
    this.headers = request.headers;
    this.path = request.url ?? "/";
    const url = new URL(this.path, "http://server");
    this.query = SocketQuery.parse(Object.fromEntries(url.searchParams));
    stream.on("data", (bytes: Buffer) => {
      this.#unread = Buffer.concat([this.#unread, bytes]);
      for (let frame = this.#readFrame(); frame; frame = this.#readFrame()) this.#heard(frame);
    });
    stream.on("error", () => undefined);
  }

  tell(message: ServerMessage): void {
    this.tellText(JSON.stringify(message));
  }

  tellText(text: string): void {
    const bytes = Buffer.from(text);
    const length = bytes.length < 126 ? [bytes.length] : [126, bytes.length >> 8, bytes.length & 0xff];
    this.#stream.write(Buffer.concat([Buffer.from([0x80 | opcodes.text, ...length]), bytes]));
  }

  /** Ends it without a word, as a network or a deploy does. */
  kill(): void {
    this.#stream.destroy();
  }

  /** Ends it as a server does that says why, or not even a code. */
  close(code?: number, reason = ""): void {
    const body = code === undefined ? [] : [code >> 8, code & 0xff, ...Buffer.from(reason)];
    this.#stream.end(Buffer.from([0x80 | opcodes.close, body.length, ...body]));
  }

  /** A masked frame of less than 64 KiB, as clients send them; undefined: not all of it is there yet. */
  #readFrame(): { opcode: number; text: string } | undefined {
    const [first = 0, second = 0] = this.#unread;
    const short = second & 0x7f;
    const start = short === 126 ? 4 : 2;
    if (this.#unread.length < start + 4) return undefined;
    const length = short === 126 ? this.#unread.readUInt16BE(2) : short;
    const end = start + 4 + length;
    if (this.#unread.length < end) return undefined;
    const mask = this.#unread.subarray(start, start + 4);
    const text = this.#unread.subarray(start + 4, end).map((byte, index) => byte ^ (mask[index % 4] ?? 0));
    this.#unread = this.#unread.subarray(end);
    return { opcode: first & 0x0f, text: Buffer.from(text).toString() };
  }

  #heard({ opcode, text }: { opcode: number; text: string }): void {
    if (opcode === opcodes.close) this.#stream.end(Buffer.from([0x80 | opcodes.close, 0]));
    if (opcode !== opcodes.text) return;
    if (text === socketPing) {
      this.pings++;
      if (!this.#server.deaf) this.tellText(socketPong);
    } else this.said.push(AgentMessage.parse(JSON.parse(text)).type);
    this.#server.changed();
  }
}

export class SocketServer {
  /** Every socket so far, in order. */
  readonly sockets: AgentSocket[] = [];
  /** Answers an opening with this status instead; 0: with nothing. */
  refusal: number | undefined;
  /** Openings that were answered with a refusal. */
  refused = 0;
  /** Answers no ping. */
  deaf = false;
  /** What each socket is told first. */
  greeting: ServerMessage = { type: "resume" };
  readonly #watchers = new Set<() => void>();

  constructor(server: Server) {
    server.on("upgrade", (request, stream) => {
      stream.on("error", () => undefined);
      if (this.refusal !== undefined) {
        const answer = `HTTP/1.1 ${this.refusal} Refused\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`;
        if (this.refusal > 0) stream.end(answer);
        this.refused++;
      } else {
        const accept = createHash("sha1")
          .update(`${request.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
          .digest("base64");
        stream.write(
          `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
        );
        const socket = new AgentSocket(stream, request, this);
        this.sockets.push(socket);
        socket.tell(this.greeting);
      }
      this.changed();
    });
  }

  changed(): void {
    for (const watcher of this.#watchers) watcher();
    this.#watchers.clear();
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#watchers.add(resolve));
  }

  /** The nth socket, past or future, from 1. */
  async socket(nth: number): Promise<AgentSocket> {
    await this.until(() => this.sockets.length >= nth);
    return this.sockets[nth - 1] as AgentSocket;
  }

  /** The socket, once its agent has said this so many times. */
  async said(socket: AgentSocket, type: AgentMessage["type"], times = 1): Promise<void> {
    await this.until(() => socket.said.filter((other) => other === type).length >= times);
  }

  stop(): void {
    for (const socket of this.sockets) socket.kill();
  }
}
