/** Objects as the tests' storages keep them, and how they come and go over HTTP. */
import { createHash } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";

export interface Stored {
  bytes: Buffer;
  sizeBytes: number;
  sha256: string;
  etag: string;
  contentType: string | undefined;
  contentEncoding: string | undefined;
}

/** Something became visible, or vanished. */
export interface Change {
  kind: "put" | "delete";
  bucket: string;
  key: string;
  sizeBytes: number;
  sha256: string;
}

export interface Reply {
  status: number;
  headers?: Record<string, string | number>;
  body?: string | Buffer;
  /** The connection breaks after so many bytes of the body; 0: before the answer. */
  breaksAfterBytes?: number;
}

export function stored(bytes: Buffer): Stored {
  return {
    bytes,
    sizeBytes: bytes.byteLength,
    sha256: createHash("sha256").update(bytes).digest("hex"),
    etag: `"${createHash("md5").update(bytes).digest("hex")}"`,
    contentType: undefined,
    contentEncoding: undefined,
  };
}

export function corrupted(object: Stored): Stored {
  const bytes = Buffer.from(object.bytes);
  bytes[0] = (bytes[0] ?? 0) ^ 1;
  return stored(bytes);
}

/** Undefined: the client went away before its body was complete. */
export async function receive(message: IncomingMessage, keepsBytes = true): Promise<Stored | undefined> {
  const kept: Buffer[] = [];
  const [sha256, md5] = [createHash("sha256"), createHash("md5")];
  let sizeBytes = 0;
  try {
    for await (const chunk of message as AsyncIterable<Buffer>) {
      sizeBytes += chunk.byteLength;
      sha256.update(chunk);
      if (keepsBytes) md5.update(chunk);
      if (keepsBytes) kept.push(chunk);
    }
  } catch {
    return undefined;
  }
  const declared = message.headers["content-length"];
  if (declared === undefined ? sizeBytes > 0 : Number(declared) !== sizeBytes) return undefined;
  return {
    ...stored(Buffer.concat(kept)),
    sizeBytes,
    sha256: sha256.digest("hex"),
    etag: `"${md5.digest("hex")}"`,
  };
}

/** A GET of it, whole or one range, on condition that it is the one that is meant; undefined: not these bytes. */
export function read(object: Stored, headers: IncomingMessage["headers"]): Reply | 412 | 416 {
  const expected = headers["if-match"];
  if (expected && expected !== object.etag) return 412;
  const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(headers.range ?? "") ?? [];
  const from = Number(first ?? 0);
  if (first !== undefined && from >= object.sizeBytes) return 416;
  const end = last ? Math.min(Number(last) + 1, object.sizeBytes) : object.sizeBytes;
  const body = object.bytes.subarray(from, end);
  const answered = { "content-length": end - from, etag: object.etag };
  if (first === undefined) return { status: 200, headers: answered, body };
  const range = `bytes ${from}-${end - 1}/${object.sizeBytes}`;
  return { status: 206, headers: { ...answered, "content-range": range }, body };
}

export function send(
  response: ServerResponse,
  { status, headers, body = "", breaksAfterBytes }: Reply,
): void {
  if (breaksAfterBytes === 0) {
    response.destroy();
    return;
  }
  response.writeHead(status, headers);
  if (breaksAfterBytes === undefined) response.end(body);
  else response.write(body.slice(0, breaksAfterBytes), () => response.destroy());
}

/** Lets tests wait for what a server has seen. */
export class Watchers {
  readonly #looks = new Set<() => void>();

  notify(): void {
    for (const look of this.#looks) look();
  }

  /** Resolves as soon as the condition holds; it is looked at whenever something happens. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      await new Promise<void>((resolve) => {
        const look = () => {
          this.#looks.delete(look);
          resolve();
        };
        this.#looks.add(look);
      });
    }
  }
}
