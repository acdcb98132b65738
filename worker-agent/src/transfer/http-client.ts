/**
 * One request to a storage and its answer: bounded connections, and a watch that notices a stall. It never tries twice
 * (retry.ts) and knows nothing of trust (effects.ts). The calls of the API, renewals first of all, do not come this way:
 * they have connections of their own (api/client.ts), so that no upload keeps a lease from being renewed.
 */
import { Readable } from "node:stream";
import { Agent, type Dispatcher, request as send } from "undici";
import { readTextAtMost } from "../read-text.ts";
import { Slots } from "./bounded.ts";
import { BadAnswer, type StorageError } from "./failures.ts";
import { refusalOf } from "./refusal.ts";
import { StallWatch } from "./stall-watch.ts";

export interface StreamedBody {
  /** Sent as Content-Length: S3 takes no chunked bodies. */
  lengthBytes: number;
  /** Called once per request, so that a retry reads from the file again. */
  open(): AsyncIterable<Uint8Array>;
}

export interface HttpRequest {
  method: "GET" | "PUT" | "POST" | "HEAD" | "DELETE";
  url: string;
  headers?: Record<string, string>;
  body?: StreamedBody | Uint8Array | string;
  /** How long the storage may think before it answers, when that can be longer than a stall. */
  answerTimeoutMs?: number;
}

export interface HttpAnswer {
  status: number;
  header(name: string): string | undefined;
  /** The body as it arrives. */
  chunks(): AsyncIterable<Uint8Array>;
  /** The whole body, for answers known to be small. */
  text(): Promise<string>;
}

export interface HttpBounds {
  concurrentRequests: number;
  stallTimeoutMs?: number;
}

/** A page of 1,000 keys of 1,024 escaped bytes stays well below. */
const textLimitBytes = 16 * 1024 * 1024;
const connectTimeoutMs = 15_000;
const stallTimeoutDefaultMs = 60_000;

export class HttpClient {
  readonly #slots: Slots;
  readonly #dispatcher: Dispatcher;
  readonly #stallTimeoutMs: number;

  constructor({ concurrentRequests, stallTimeoutMs = stallTimeoutDefaultMs }: HttpBounds) {
    this.#slots = new Slots(concurrentRequests);
    this.#stallTimeoutMs = stallTimeoutMs;
    this.#dispatcher = new Agent({
      connections: concurrentRequests,
      pipelining: 1,
      // HTTP/2 would put all requests on one connection, where one lost packet stops them all.
      allowH2: false,
      connect: { timeout: connectTimeoutMs },
      // undici's own timers are off: the headers timer would run while a slow body still goes up.
      headersTimeout: 0,
      bodyTimeout: 0,
    });
  }

  /**
   * Waits for a connection, makes the request and hands a good answer (2xx) to `read`, which must consume what it needs
   * before it returns. `prepare` is called when a connection is free, so that what it signs or is granted is fresh.
   *
   * @throws StorageError for any other answer, Stalled, or the error of the socket.
   */
  exchange<T>(
    prepare: () => HttpRequest | Promise<HttpRequest>,
    signal: AbortSignal,
    read: (answer: HttpAnswer) => Promise<T>,
  ): Promise<T> {
    return this.#slots.run(signal, async () => {
      const request = await prepare();
      const watch = new StallWatch(this.#stallTimeoutMs);
      try {
        const answer = await this.#send(request, AbortSignal.any([signal, watch.signal]), watch);
        try {
          watch.allow(this.#stallTimeoutMs);
          if (answer.statusCode < 200 || answer.statusCode > 299) throw await refused(request.method, answer);
          return await read(reading(answer, watch));
        } finally {
          // What nobody read is dropped together with its connection; the body calls that an error of its own.
          if (!answer.body.readableEnded) answer.body.on("error", () => undefined).destroy();
        }
      } catch (failure) {
        signal.throwIfAborted();
        watch.signal.throwIfAborted();
        throw failure;
      } finally {
        watch.end();
      }
    });
  }

  async #send(
    request: HttpRequest,
    signal: AbortSignal,
    watch: StallWatch,
  ): Promise<Dispatcher.ResponseData> {
    const { body } = request;
    const isStream = typeof body === "object" && !(body instanceof Uint8Array);
    const headers = { ...request.headers };
    if (body !== undefined) headers["content-length"] = String(lengthOf(body));
    if (!isStream) watch.allow(request.answerTimeoutMs ?? this.#stallTimeoutMs);
    return await send(request.url, {
      dispatcher: this.#dispatcher,
      method: request.method,
      headers,
      body: isStream ? streamed(watch.passing(body.open())) : (body ?? null),
      signal,
    });
  }
}

function lengthOf(body: StreamedBody | Uint8Array | string): number {
  if (typeof body === "string") return Buffer.byteLength(body);
  return body instanceof Uint8Array ? body.byteLength : body.lengthBytes;
}

/** One chunk ahead of the socket and no more: 16 requests at once must stay small. */
function streamed(chunks: AsyncIterable<Uint8Array>): Readable {
  return Readable.from(chunks, { objectMode: true, highWaterMark: 1 });
}

function reading(answer: Dispatcher.ResponseData, watch: StallWatch): HttpAnswer {
  return {
    status: answer.statusCode,
    header: (name) => {
      const value = answer.headers[name];
      return Array.isArray(value) ? value[0] : value;
    },
    chunks: () => watch.passing(answer.body),
    text: () => textOf(watch.passing(answer.body)),
  };
}

async function textOf(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  const text = await readTextAtMost(chunks, textLimitBytes);
  if (text === undefined) throw new BadAnswer(`the storage's answer is over ${textLimitBytes} bytes`);
  return text;
}

async function refused(method: string, { body, statusCode }: Dispatcher.ResponseData): Promise<StorageError> {
  return refusalOf(statusCode, await textOf(body), method);
}
