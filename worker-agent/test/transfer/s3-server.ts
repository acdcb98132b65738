/**
 * S3-compatible storage for tests: over real HTTP, with faults on demand, and with an append-only log of everything that
 * anybody could have seen. The log, not the final state, is what the tests judge.
 */
import { randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { errorDocument, type Listing, listDocument } from "./s3-documents.ts";
import type { Fault } from "./s3-faults.ts";
import {
  type Change,
  corrupted,
  type Reply,
  read,
  receive,
  type Stored,
  send,
  stored,
  Watchers,
} from "./stored-object.ts";

export interface SeenRequest {
  method: string;
  bucket: string;
  key: string;
  query: URLSearchParams;
  headers: IncomingMessage["headers"];
}

export type FaultRule = (request: SeenRequest) => Fault | undefined;

interface Parts {
  target: SeenRequest;
  parts: Map<number, Stored>;
}

const minimumPartBytes = 5 * 1024 * 1024;

export class S3Server {
  readonly changes: Change[] = [];
  readonly requests: SeenRequest[] = [];
  /** Of each upload in parts that was completed: the parts' hashes. */
  readonly completedParts: Array<Array<{ sizeBytes: number; sha256: string }>> = [];
  /** Asked in turn for each request; the first fault counts. */
  readonly faults: FaultRule[] = [];
  /** Clients that went away from a request that was held. */
  hangups = 0;
  pageSize = 1000;
  /** False: contents are hashed as they pass and not kept. */
  keepsBytes = true;
  readonly #buckets = new Map<string, Map<string, Stored>>();
  readonly #uploads = new Map<string, Parts>();
  readonly #server: Server;
  readonly #watchers = new Watchers();

  private constructor() {
    this.#server = createServer((request, response) => {
      this.#serve(request, response).catch(() => response.destroy());
    });
  }

  static async start(...buckets: string[]): Promise<S3Server> {
    const server = new S3Server();
    for (const bucket of buckets) server.#buckets.set(bucket, new Map());
    await new Promise<void>((resolve) => server.#server.listen(0, "127.0.0.1", resolve));
    return server;
  }

  /** With a path of its own, as some storages have. */
  get url(): string {
    const { port } = this.#server.address() as AddressInfo;
    return `http://127.0.0.1:${port}/some/base`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  put(bucket: string, key: string, content: string | Buffer): void {
    this.#bucket(bucket).set(key, stored(Buffer.from(content)));
  }

  get(bucket: string, key: string): Stored | undefined {
    return this.#bucket(bucket).get(key);
  }

  text(bucket: string, key: string): string | undefined {
    return this.get(bucket, key)?.bytes.toString("utf8");
  }

  keys(bucket: string): string[] {
    return [...this.#bucket(bucket).keys()].sort();
  }

  get unfinishedUploads(): number {
    return this.#uploads.size;
  }

  /** Resolves as soon as the condition holds; it is looked at whenever a request comes in or has an effect. */
  until(condition: () => boolean): Promise<void> {
    return this.#watchers.until(condition);
  }

  #notify(): void {
    this.#watchers.notify();
  }

  #bucket(name: string): Map<string, Stored> {
    const bucket = this.#buckets.get(name);
    if (!bucket) throw new Error(`no bucket ${name}`);
    return bucket;
  }

  async #serve(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const request = parse(message);
    this.requests.push(request);
    this.#notify();
    const fault = this.faults.map((rule) => rule(request)).find((found) => found !== undefined);
    if (fault?.kind === "reset") {
      message.socket.resetAndDestroy();
      return;
    }
    const body = await receive(message, this.keepsBytes || message.method === "POST");
    if (fault?.kind === "hold") {
      message.socket.once("close", () => {
        this.hangups += 1;
        this.#notify();
      });
      await fault.until;
    }
    // A client that has gone away, even after its last byte, has caused nothing: so the tests can tell.
    if (!body || message.socket.destroyed) return;
    send(response, this.#refuse(request, fault) ?? this.#handle(request, body, fault));
    this.#notify();
  }

  #refuse(request: SeenRequest, fault: Fault | undefined): Reply | undefined {
    if (!request.headers.authorization) return refused(403, "AccessDenied");
    if (!this.#buckets.has(request.bucket)) return refused(404, "NoSuchBucket");
    return fault?.kind === "answer" ? refused(fault.status, fault.code ?? "Injected") : undefined;
  }

  #handle(request: SeenRequest, body: Stored, fault: Fault | undefined): Reply {
    const { method, query } = request;
    const uploadId = query.get("uploadId");
    if (fault?.kind === "errorInBody") return { status: 200, body: errorDocument(fault.code) };
    if (method === "GET" && request.key === "") return this.#list(request);
    if (method === "GET" || method === "HEAD") return this.#read(request, fault);
    if (method === "POST" && query.has("uploads")) return this.#begin(request);
    if (method === "PUT" && uploadId) return this.#part(request, uploadId, body);
    if (method === "POST" && uploadId) return this.#complete(uploadId, body, fault);
    if (method === "PUT") {
      if (fault?.kind !== "forgets")
        this.#store(request, fault?.kind === "corrupts" ? corrupted(body) : body);
      return { status: 200, headers: { etag: body.etag }, ...lost(fault) };
    }
    return uploadId ? this.#abort(uploadId) : this.#delete(request);
  }

  #abort(uploadId: string): Reply {
    return this.#uploads.delete(uploadId) ? { status: 204 } : refused(404, "NoSuchUpload");
  }

  #delete({ bucket, key }: SeenRequest): Reply {
    if (this.#bucket(bucket).delete(key)) {
      this.changes.push({ kind: "delete", bucket, key, sizeBytes: 0, sha256: "" });
    }
    return { status: 204 };
  }

  #store(target: SeenRequest, object: Stored): void {
    const kept = {
      ...object,
      contentType: target.headers["content-type"],
      contentEncoding: target.headers["content-encoding"],
    };
    this.#bucket(target.bucket).set(target.key, kept);
    const { sizeBytes, sha256 } = object;
    this.changes.push({ kind: "put", bucket: target.bucket, key: target.key, sizeBytes, sha256 });
  }

  #list({ bucket, query }: SeenRequest): Reply {
    const prefix = query.get("prefix") ?? "";
    const after = query.get("continuation-token") ?? "";
    const matching = this.keys(bucket).filter((key) => key.startsWith(prefix) && key > after);
    const page = matching.slice(0, this.pageSize);
    const listing: Listing = {
      objects: page.map((key) => ({ key, sizeBytes: this.get(bucket, key)?.sizeBytes ?? 0 })),
      next: matching.length > page.length ? page.at(-1) : undefined,
    };
    return { status: 200, body: listDocument(listing) };
  }

  #read(request: SeenRequest, fault: Fault | undefined): Reply {
    const object = this.get(request.bucket, request.key);
    if (!object) return refused(404, "NoSuchKey");
    const reply = read(object, request.headers);
    if (reply === 412) return refused(412, "PreconditionFailed");
    if (reply === 416) return refused(416, "InvalidRange");
    return fault?.kind === "cut" ? { ...reply, breaksAfterBytes: fault.afterBytes } : reply;
  }

  #begin(target: SeenRequest): Reply {
    const id = randomBytes(8).toString("hex");
    this.#uploads.set(id, { target, parts: new Map() });
    const body = `<InitiateMultipartUploadResult><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`;
    return { status: 200, body };
  }

  #part(request: SeenRequest, uploadId: string, body: Stored): Reply {
    const upload = this.#uploads.get(uploadId);
    if (!upload) return refused(404, "NoSuchUpload");
    // Opaque, as on R2's local endpoint.
    const etag = `"part-${randomBytes(8).toString("hex")}"`;
    upload.parts.set(Number(request.query.get("partNumber")), { ...body, etag });
    return { status: 200, headers: { etag } };
  }

  #complete(uploadId: string, body: Stored, fault: Fault | undefined): Reply {
    const upload = this.#uploads.get(uploadId);
    if (!upload) return refused(404, "NoSuchUpload");
    const parts = [...upload.parts].sort(([one], [other]) => one - other).map(([, part]) => part);
    const sizes = new Set(parts.slice(0, -1).map((part) => part.sizeBytes));
    if (sizes.size > 1 || [...sizes].some((size) => size < minimumPartBytes)) {
      return refused(400, "EntityTooSmall");
    }
    const named = body.bytes.toString("utf8");
    if (!parts.every((part) => named.includes(part.etag.replaceAll('"', "")))) {
      return refused(400, "InvalidPart");
    }
    this.#uploads.delete(uploadId);
    this.completedParts.push(parts.map(({ sizeBytes, sha256 }) => ({ sizeBytes, sha256 })));
    const whole = stored(Buffer.concat(parts.map((part) => part.bytes)));
    const sizeBytes = parts.reduce((sum, part) => sum + part.sizeBytes, 0);
    const etag = `"${randomBytes(16).toString("hex")}-${parts.length}"`;
    this.#store(upload.target, { ...whole, sizeBytes, etag });
    return { status: 200, body: "<CompleteMultipartUploadResult/>", ...lost(fault) };
  }
}

function parse(message: IncomingMessage): SeenRequest {
  const [path = "", query = ""] = (message.url ?? "").split("?");
  const [bucket = "", ...key] = path.replace(/^\/some\/base\//, "").split("/");
  return {
    method: message.method ?? "",
    bucket: decodeURIComponent(bucket),
    key: decodeURIComponent(key.join("/")),
    query: new URLSearchParams(query),
    headers: message.headers,
  };
}

function refused(status: number, code: string): Reply {
  return { status, body: errorDocument(code) };
}

function lost(fault: Fault | undefined): Pick<Reply, "breaksAfterBytes"> {
  return fault?.kind === "losesAnswer" ? { breaksAfterBytes: 0 } : {};
}
