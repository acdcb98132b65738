/**
 * One signed request to S3-compatible storage and its answer: addressing, SigV4, bounded connections, and a watch
 * that notices a stall. It never tries twice (retry.ts) and knows nothing of trust (effects.ts).
 */
import { Readable } from "node:stream";
import { AwsV4Signer } from "aws4fetch";
import { XMLParser } from "fast-xml-parser";
import { Agent, type Dispatcher, request as send } from "undici";
import { awsEndpoint, escapeQuery, objectUrl } from "./address.ts";
import { Slots } from "./bounded.ts";
import { BadAnswer, S3Error, Stalled } from "./failures.ts";
import type { TransferSettings } from "./ports.ts";

export interface S3Body {
  /** Sent as Content-Length: S3 takes no chunked bodies. */
  lengthBytes: number;
  /** Called once per request, so that a retry reads from the file again. */
  open(): AsyncIterable<Uint8Array>;
}

export interface S3Request {
  method: "GET" | "PUT" | "POST" | "HEAD" | "DELETE";
  bucket: string;
  key?: string;
  query?: Record<string, string>;
  headers?: Record<string, string>;
  body?: S3Body | string;
  signal: AbortSignal;
  /** How long the storage may think before it answers, when that can be longer than a stall. */
  answerTimeoutMs?: number;
}

export interface S3Answer {
  status: number;
  header(name: string): string | undefined;
  /** The body as it arrives. */
  chunks(): AsyncIterable<Uint8Array>;
  /** The whole body, for answers known to be small. */
  text(): Promise<string>;
}

/** A page of 1,000 keys of 1,024 escaped bytes stays well below. */
const textLimitBytes = 16 * 1024 * 1024;
const connectTimeoutMs = 15_000;
const stallTimeoutDefaultMs = 60_000;

export class S3Client {
  readonly #settings: TransferSettings;
  readonly #endpoint: string;
  readonly #slots: Slots;
  readonly #dispatcher: Dispatcher;
  readonly #stallTimeoutMs: number;
  /** Signing keys by day; aws4fetch keeps them here. */
  readonly #signingKeys = new Map<string, ArrayBuffer>();

  constructor(settings: TransferSettings, concurrentRequests: number) {
    this.#settings = settings;
    this.#endpoint = settings.endpointUrl ?? awsEndpoint(settings.region);
    this.#slots = new Slots(concurrentRequests);
    this.#stallTimeoutMs = settings.stallTimeoutMs ?? stallTimeoutDefaultMs;
    // undici's own timers are off: the headers timer would run while a slow body still goes up.
    this.#dispatcher = new Agent({
      connections: concurrentRequests,
      pipelining: 1,
      connect: { timeout: connectTimeoutMs },
      headersTimeout: 0,
      bodyTimeout: 0,
    });
  }

  /**
   * Sends the request and hands a good answer (2xx) to `read`, which must consume what it needs before it returns.
   *
   * @throws S3Error for any other answer, Stalled, or the error of the socket.
   */
  exchange<T>(request: S3Request, read: (answer: S3Answer) => Promise<T>): Promise<T> {
    return this.#slots.run(request.signal, async () => {
      const watch = new StallWatch(this.#stallTimeoutMs);
      try {
        const signal = AbortSignal.any([request.signal, watch.signal]);
        const answer = await this.#send(request, signal, watch);
        try {
          watch.allow(this.#stallTimeoutMs);
          if (answer.statusCode < 200 || answer.statusCode > 299) throw await refusal(request.method, answer);
          return await read(reading(answer, watch));
        } finally {
          // What nobody read is dropped together with its connection; the body calls that an error of its own.
          if (!answer.body.readableEnded) answer.body.on("error", () => undefined).destroy();
        }
      } catch (failure) {
        request.signal.throwIfAborted();
        watch.signal.throwIfAborted();
        throw failure;
      } finally {
        watch.end();
      }
    });
  }

  async #send(request: S3Request, signal: AbortSignal, watch: StallWatch): Promise<Dispatcher.ResponseData> {
    const { body } = request;
    const signed = await this.#sign(request);
    const headers: Record<string, string> = Object.fromEntries(signed.headers.entries());
    if (body !== undefined) {
      headers["content-length"] = String(
        typeof body === "string" ? Buffer.byteLength(body) : body.lengthBytes,
      );
    }
    const answerTimeoutMs = request.answerTimeoutMs ?? this.#stallTimeoutMs;
    if (body === undefined || typeof body === "string") watch.allow(answerTimeoutMs);
    return await send(signed.url, {
      dispatcher: this.#dispatcher,
      method: request.method,
      headers,
      body:
        body === undefined || typeof body === "string"
          ? (body ?? null)
          : streamed(watch.passing(body.open())),
      signal,
    });
  }

  async #sign(request: S3Request): Promise<{ url: string; headers: Headers }> {
    const query = escapeQuery(request.query ?? {});
    const url = `${objectUrl(this.#endpoint, request.bucket, request.key)}${query === "" ? "" : `?${query}`}`;
    const { accessKeyId, secretAccessKey, sessionToken, region } = this.#settings;
    const signer = new AwsV4Signer({
      method: request.method,
      url,
      headers: request.headers,
      accessKeyId,
      secretAccessKey,
      sessionToken: sessionToken === "" ? undefined : sessionToken,
      service: "s3",
      region,
      cache: this.#signingKeys,
    });
    const { headers } = await signer.sign();
    return { url, headers: new Headers(headers) };
  }
}

/** Aborts its signal when nothing has moved for a while. */
class StallWatch {
  readonly #abort = new AbortController();
  #timeoutMs: number;
  #timer: NodeJS.Timeout;

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
    this.#timer = this.#start();
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** From now on the next sign of life may take this long. */
  allow(timeoutMs: number): void {
    clearTimeout(this.#timer);
    this.#timeoutMs = timeoutMs;
    this.#timer = this.#start();
  }

  end(): void {
    clearTimeout(this.#timer);
  }

  /** Passes chunks on; each is a sign of life. Undici pulls the next one only when the socket has drained. */
  async *passing(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of chunks) {
      this.#timer.refresh();
      yield chunk;
    }
    this.#timer.refresh();
  }

  #start(): NodeJS.Timeout {
    return setTimeout(() => this.#abort.abort(new Stalled(this.#timeoutMs)), this.#timeoutMs);
  }
}

/** One chunk ahead of the socket and no more: 16 requests at once must stay small. */
function streamed(chunks: AsyncIterable<Uint8Array>): Readable {
  return Readable.from(chunks, { objectMode: true, highWaterMark: 1 });
}

function reading(answer: Dispatcher.ResponseData, watch: StallWatch): S3Answer {
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
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of chunks) {
    bytes += chunk.byteLength;
    if (bytes > textLimitBytes) throw new BadAnswer(`the storage's answer is over ${textLimitBytes} bytes`);
    parts.push(chunk);
  }
  return Buffer.concat(parts).toString("utf8");
}

async function refusal(method: string, { body, statusCode }: Dispatcher.ResponseData): Promise<S3Error> {
  const text = await textOf(body);
  return errorInXml(statusCode, text, method) ?? new S3Error(statusCode, "", "", method);
}

const errorParser = new XMLParser({ ignoreAttributes: true, parseTagValue: false });

/** S3's error document, wherever it turns up: also in the body of a 200 to a CompleteMultipartUpload. */
export function errorInXml(status: number, text: string, method?: string): S3Error | undefined {
  if (!text.includes("<Error>")) return undefined;
  const document: { Error?: { Code?: string; Message?: string } } = errorParser.parse(text);
  return new S3Error(status, document.Error?.Code ?? "", document.Error?.Message ?? "", method);
}
