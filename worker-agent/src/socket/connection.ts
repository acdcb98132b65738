/**
 * One WebSocket to the API: opened with our headers, kept alive by pings, its messages checked against the contract. It
 * ends on the first sign of trouble; opening another one is the business of socket.ts.
 */
import type { Duplex } from "node:stream";
import { Agent, type Dispatcher, WebSocket } from "undici";
import {
  type AgentMessage,
  limits,
  ServerMessage,
  socketPing,
  socketPong,
} from "../../../src/contract/index.ts";
import { type Log, reasonOf } from "../log.ts";
import { parseJson } from "../parse-json.ts";
import { jittered, pause } from "../pause.ts";
import type { Timings } from "../timings.ts";

export interface ConnectionSettings {
  /** With `http(s):` or `ws(s):`. Never with a credential: URLs end up in logs. */
  url: URL;
  headers: Record<string, string>;
  timings: Timings;
  log: Log;
  onMessage(message: ServerMessage): void;
}

export interface Connection {
  send(message: AgentMessage): void;
  /** Resolves with the reason once nothing comes or goes any more. */
  readonly ended: Promise<string>;
  end(reason: string): void;
}

export type Opening =
  | { ok: true; connection: Connection }
  /** `status`: what the API, or something before it, answered instead; absent: no answer. */
  | { ok: false; status?: number; reason: string };

/** Opens a socket. Aborting the signal ends it, opened or not. */
export async function openConnection(settings: ConnectionSettings, signal: AbortSignal): Promise<Opening> {
  const { url, headers, timings } = settings;
  const handshake: Handshake = {};
  const socket = new WebSocket(url, { headers, dispatcher: watching(handshake) });
  const opened = Promise.withResolvers<Opening>();
  const ended = Promise.withResolvers<string>();
  const over = new AbortController();
  const end = (reason: string) => {
    if (over.signal.aborted) return;
    over.abort();
    // Says goodbye where that is possible, and waits for no answer: a dead peer gives none.
    socket.close();
    handshake.socket?.end();
    handshake.socket?.destroySoon?.();
    opened.resolve({ ok: false, status: handshake.status, reason });
    ended.resolve(reason);
  };
  const onAbort = () => end("the agent ends");
  signal.addEventListener("abort", onAbort, { once: true, signal: over.signal });
  if (signal.aborted) onAbort();

  let heard = 0;
  socket.addEventListener("open", () => {
    const send = (message: AgentMessage) => socket.send(JSON.stringify(message));
    opened.resolve({ ok: true, connection: { send, ended: ended.promise, end } });
  });
  socket.addEventListener("message", ({ data }) => {
    heard++;
    if (data === socketPong || over.signal.aborted) return;
    const message = readMessage(data);
    if (message) settings.onMessage(message);
    else settings.log.debug("message on the socket not understood");
  });
  // Of a connection that is cut the error says nothing: then no close frame has come either.
  socket.addEventListener("error", ({ error, message }) => end(reasonOf(error ?? message) || noCloseFrame));
  socket.addEventListener("close", ({ code, reason }) => end(reason || describeClose(code)));

  void pause(timings.socketOpenTimeoutMs, over.signal).then((waited) => {
    if (waited && socket.readyState === WebSocket.CONNECTING) end("no answer in time");
  });
  const opening = await opened.promise;
  if (opening.ok) void keepAlive(socket, () => heard, { end, over: over.signal, timings });
  return opening;
}

const noCloseFrame = "no close frame: the connection was cut";

/** The two codes that never come over the wire stand for what did not come (RFC 6455, 7.4.1). */
function describeClose(code: number): string {
  switch (code) {
    case 1005:
      return "closed without a code";
    case 1006:
      return noCloseFrame;
    default:
      return `closed with code ${code}`;
  }
}

/** A ping that is not answered before the next one is due: the network is gone, whatever the socket believes. */
async function keepAlive(
  socket: Pick<WebSocket, "send">,
  heard: () => number,
  { end, over, timings }: { end: (reason: string) => void; over: AbortSignal; timings: Timings },
): Promise<void> {
  let heardBefore = -1;
  while (await pause(jittered(timings.socketPingMs), over)) {
    if (heard() === heardBefore) {
      end("a ping was not answered");
      return;
    }
    heardBefore = heard();
    socket.send(socketPing);
  }
}

function readMessage(data: unknown): ServerMessage | undefined {
  if (typeof data !== "string" || data.length > limits.socketMessageChars) return undefined;
  return ServerMessage.safeParse(parseJson(data)).data;
}

/** What a WebSocket does not tell of its own opening. */
interface Handshake {
  status?: number;
  socket?: Duplex & { destroySoon?(): void };
}

/** One for all: it pools nothing, since each connection becomes a socket of its own. */
const dispatcher = new Agent({
  // Not every server speaks WebSocket over HTTP/2, and undici calls its own experimental.
  allowH2: false,
  webSocket: { maxPayloadSize: 4 * limits.socketMessageChars },
});

function watching(handshake: Handshake): Dispatcher {
  return dispatcher.compose((dispatch) => (options, handler) => {
    const watched: Dispatcher.DispatchHandler = {
      onRequestStart: (...given) => handler.onRequestStart?.(...given),
      onRequestUpgrade(controller, status, headers, socket) {
        handshake.socket = socket;
        handler.onRequestUpgrade?.(controller, status, headers, socket);
      },
      onResponseStart(controller, status, ...given) {
        handshake.status = status;
        handler.onResponseStart?.(controller, status, ...given);
      },
      onResponseData: (...given) => handler.onResponseData?.(...given),
      onResponseEnd: (...given) => handler.onResponseEnd?.(...given),
      onResponseError: (...given) => handler.onResponseError?.(...given),
    };
    return dispatch(options, watched);
  });
}
