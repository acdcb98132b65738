/**
 * The API's managed storage as an agent sees it, over real HTTP and checked with the contract's own schemas: calls under one lease,
 * and the URLs that they grant. Strict about what was granted (method, size, MD5, headers, expiry), and with an append-only log of all
 * that anybody could have seen.
 */
import { createHash, randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { z } from "zod";
import {
  type ErrorBody,
  type Grant,
  type GrantRequest,
  type Grants,
  GrantsRequest,
  LeaseProof,
  type OutputsAnswer,
  OutputsRequest,
  type RefusalReason,
  type RenewalAnswer,
  RenewalRequest,
  StorageDeleteRequest,
  StorageListRequest,
  type StoredFileList,
  type Upload,
  UploadAbortion,
  UploadCompletion,
  UploadRequest,
} from "../../../src/contract/index.ts";
import {
  type Change,
  type Reply,
  read,
  receive,
  type Stored,
  send,
  stored,
  Watchers,
} from "./stored-object.ts";

export interface Lease {
  jobId: string;
  attempt: number;
  token: string;
}

/** A call of the API, or a request by a URL that it granted. */
export interface SeenRequest {
  /** `grants`, `list`, …, `renew`; `object`: by URL. */
  route: string;
  body: unknown;
  /** Of a request by URL: what it was granted for. */
  wish?: GrantRequest;
  method: string;
  headers: IncomingMessage["headers"];
}

/** What to do to a request instead of serving it. */
export type ManagedFault =
  | { kind: "answer"; status: number; reason?: RefusalReason }
  | { kind: "reset" }
  | { kind: "losesAnswer" }
  /** Acknowledged as if served, but nothing is kept. */
  | { kind: "forgets" }
  /** The body is taken in; then, before anything becomes visible, this is awaited. */
  | { kind: "hold"; until: Promise<void> };

interface Granted {
  wish: GrantRequest;
  headers: Record<string, string>;
  expiresMs: number;
}

interface Parts {
  area: string;
  key: string;
  parts: Map<number, Stored>;
}

export class ManagedServer {
  /** Whose calls are taken. */
  lease: Lease = { jobId: randomUUID(), attempt: 1, token: randomUUID() };
  /** Another attempt holds the job from now on, or it has ended. */
  refusal: RefusalReason | undefined;
  leaseSeconds = 60;
  /** Of granted URLs. */
  expiresSeconds = 65;
  /** The storage's clock is so far ahead of the API's. */
  skewMs = 0;
  /** Where granted URLs lead; undefined: here. */
  objectOrigin: string | undefined;
  pageSize = 1000;
  readonly requests: SeenRequest[] = [];
  readonly changes: Change[] = [];
  readonly faults: ((request: SeenRequest) => ManagedFault | undefined)[] = [];
  /** What people see, by key. */
  readonly files = new Map<string, Stored>();
  /** This attempt's outputs, by key, and those of them that were recorded. */
  readonly outputs = new Map<string, Stored>();
  readonly recorded = new Set<string>();
  hangups = 0;
  readonly #granted = new Map<string, Granted>();
  readonly #uploads = new Map<string, Parts>();
  readonly #watchers = new Watchers();
  readonly #server = createServer((request, response) => {
    this.#serve(request, response).catch((error) => {
      console.error("the fake API failed", error);
      response.destroy();
    });
  });

  static async start(): Promise<ManagedServer> {
    const server = new ManagedServer();
    await new Promise<void>((resolve) => server.#server.listen(0, "127.0.0.1", resolve));
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  put(key: string, content: string | Buffer): void {
    this.files.set(key, stored(Buffer.from(content)));
  }

  /** Calls of one route, or requests by URL of one kind. */
  seen(route: string): SeenRequest[] {
    return this.requests.filter((request) => request.route === route || request.wish?.kind === route);
  }

  get unfinishedUploads(): number {
    return this.#uploads.size;
  }

  until(condition: () => boolean): Promise<void> {
    return this.#watchers.until(condition);
  }

  async #serve(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(message.url ?? "/", this.url);
    const granted =
      url.pathname === "/object" ? this.#granted.get(url.searchParams.get("id") ?? "") : undefined;
    const route = granted ? "object" : (url.pathname.split("/storage/").at(-1) ?? "").replace("/leases/", "");
    const request: SeenRequest = {
      route,
      body: undefined,
      wish: granted?.wish,
      method: message.method ?? "",
      headers: message.headers,
    };
    if (granted) this.#see(request);
    const early = granted && this.#fault(request);
    if (early?.kind === "reset") {
      message.socket.resetAndDestroy();
      return;
    }
    const body = await receive(message);
    if (!body) return;
    if (!granted && body.sizeBytes > 0) request.body = JSON.parse(body.bytes.toString("utf8"));
    if (!granted) this.#see(request);
    const fault = granted ? early : this.#fault(request);
    if (fault?.kind === "reset") {
      message.socket.resetAndDestroy();
      return;
    }
    if (fault?.kind === "hold") {
      message.socket.once("close", () => {
        this.hangups += 1;
        this.#watchers.notify();
      });
      await fault.until;
    }
    // A client that has gone away, even after its last byte, has caused nothing: so the tests can tell.
    if (message.socket.destroyed) return;
    const reply = this.#reply(request, granted, body, fault, url);
    send(response, fault?.kind === "losesAnswer" ? { ...reply, breaksAfterBytes: 0 } : reply);
    this.#watchers.notify();
  }

  #see(request: SeenRequest): void {
    this.requests.push(request);
    this.#watchers.notify();
  }

  #fault(request: SeenRequest): ManagedFault | undefined {
    return this.faults.map((rule) => rule(request)).find((found) => found !== undefined);
  }

  #reply(
    request: SeenRequest,
    granted: Granted | undefined,
    body: Stored,
    fault: ManagedFault | undefined,
    url: URL,
  ): Reply {
    if (fault?.kind === "answer") return refused(fault.status, fault.reason);
    if (granted) return this.#object(granted, request, body, fault);
    if (request.route === "renew") return this.#renew(request.body);
    if (url.pathname === "/object") return refused(403);
    const [, jobId] = /^\/jobs\/([^/]+)\/storage\//.exec(url.pathname) ?? [];
    if (!jobId || request.method !== "POST") return refused(404);
    const proof = LeaseProof.safeParse(request.body);
    if (!proof.success) return refused(400);
    const { attempt, lease_token } = proof.data;
    const holds =
      jobId === this.lease.jobId && attempt === this.lease.attempt && lease_token === this.lease.token;
    if (this.refusal || !holds) return refused(409, this.refusal ?? "superseded");
    return this.#call(request.route, request.body);
  }

  #call(route: string, body: unknown): Reply {
    switch (route) {
      case "grants":
        return parsed(GrantsRequest, body, ({ requests }) =>
          answer<Grants>({ grants: requests.map((wish) => this.#grant(wish)) }),
        );
      case "list":
        return parsed(StorageListRequest, body, ({ prefix, cursor }) => answer(this.#list(prefix, cursor)));
      case "delete":
        return parsed(StorageDeleteRequest, body, ({ keys }) => this.#delete(keys));
      case "uploads":
        return parsed(UploadRequest, body, ({ area, key }) => {
          const id = randomUUID();
          this.#uploads.set(id, { area, key, parts: new Map() });
          return answer<Upload>({ upload_id: id });
        });
      case "uploads/complete":
        return parsed(UploadCompletion, body, (completion) => this.#complete(completion));
      case "uploads/abort":
        return parsed(UploadAbortion, body, ({ upload_id }) => {
          this.#uploads.delete(upload_id);
          return answer({});
        });
      case "outputs":
        return parsed(OutputsRequest, body, ({ files }) => answer(this.#record(files)));
      default:
        return refused(404);
    }
  }

  #renew(body: unknown): Reply {
    const { leases } = RenewalRequest.parse(body);
    return answer<RenewalAnswer>({
      leases: leases.map(({ job_id, attempt }) =>
        this.refusal
          ? { job_id, attempt, status: "canceled", reason: this.refusal }
          : { job_id, attempt, status: "running", lease_seconds: this.leaseSeconds },
      ),
    });
  }

  #grant(wish: GrantRequest): Grant {
    const headers: Record<string, string> = {};
    if ("md5" in wish && wish.md5) headers["Content-MD5"] = Buffer.from(wish.md5, "hex").toString("base64");
    if ("content_type" in wish && wish.content_type) headers["Content-Type"] = wish.content_type;
    if ("content_encoding" in wish && wish.content_encoding)
      headers["Content-Encoding"] = wish.content_encoding;
    if (wish.kind === "put_chunk" || wish.kind === "put_manifest") headers["If-None-Match"] = "*";
    const id = randomUUID();
    this.#granted.set(id, { wish, headers, expiresMs: Date.now() + this.expiresSeconds * 1000 });
    const method = wish.kind.startsWith("get") ? "GET" : "PUT";
    const url = `${this.objectOrigin ?? this.url}/object?id=${id}`;
    return { method, url, headers, expires_seconds: this.expiresSeconds };
  }

  #list(prefix: string, cursor: string | undefined): StoredFileList {
    const matching = [...this.files.keys()].filter((key) => key.startsWith(prefix)).sort();
    const rest = matching.filter((key) => cursor === undefined || key > cursor);
    const page = rest.slice(0, this.pageSize);
    const files = page.flatMap((key) => {
      const file = this.files.get(key);
      const modified = new Date(0).toISOString();
      return file ? [{ key, size: file.sizeBytes, modified, etag: file.etag.replaceAll('"', "") }] : [];
    });
    const next_cursor = rest.length > page.length ? (page.at(-1) ?? null) : null;
    return { _count: files.length, files, next_cursor };
  }

  #delete(keys: string[]): Reply {
    for (const key of keys) {
      if (this.files.delete(key))
        this.changes.push({ kind: "delete", bucket: "files", key, sizeBytes: 0, sha256: "" });
    }
    return answer({});
  }

  #record(files: OutputsRequest["files"]): OutputsAnswer {
    const wrong: OutputsAnswer["wrong"] = [];
    for (const { key, size, md5 } of files) {
      const object = this.outputs.get(key);
      const etag = object?.etag.replaceAll('"', "") ?? "";
      if (!object) wrong.push({ key, problem: "missing" });
      else if (object.sizeBytes !== size) wrong.push({ key, problem: "size" });
      else if (md5 !== undefined && /^[0-9a-f]{32}$/.test(etag) && etag !== md5)
        wrong.push({ key, problem: "checksum" });
      else this.recorded.add(key);
    }
    return { wrong };
  }

  #object(granted: Granted, request: SeenRequest, body: Stored, fault: ManagedFault | undefined): Reply {
    const { wish, headers, expiresMs } = granted;
    if (Date.now() + this.skewMs > expiresMs) return refused(403);
    const reads = wish.kind === "get" || wish.kind === "get_chunk" || wish.kind === "get_manifest";
    if (request.method !== (reads ? "GET" : "PUT")) return refused(403);
    for (const [name, value] of Object.entries(headers)) {
      if (request.headers[name.toLowerCase()] !== value) return refused(403);
    }
    if (wish.kind === "get") {
      const object = this.files.get(wish.key);
      if (!object) return refused(404);
      const reply = read(object, request.headers);
      return typeof reply === "number" ? refused(reply) : reply;
    }
    if (wish.kind !== "put" && wish.kind !== "part") return refused(501);
    if (Number(request.headers["content-length"]) !== wish.size) return refused(403);
    const md5 = createHash("md5").update(body.bytes).digest("hex");
    if (wish.md5 !== undefined && wish.md5 !== md5) return refused(400);
    if (fault?.kind === "forgets") return { status: 200, headers: { etag: body.etag } };
    if (wish.kind === "part") {
      const upload = this.#uploads.get(wish.upload_id);
      if (!upload) return refused(404);
      upload.parts.set(wish.part_number, body);
    } else {
      this.#store(wish.area, wish.key, {
        ...body,
        contentType: request.headers["content-type"],
        contentEncoding: request.headers["content-encoding"],
      });
    }
    return { status: 200, headers: { etag: body.etag } };
  }

  #complete({ area, key, upload_id, size, parts }: UploadCompletion): Reply {
    const upload = this.#uploads.get(upload_id);
    if (!upload) return refused(404);
    const bodies = parts.flatMap(({ part_number, etag }) => {
      const part = upload.parts.get(part_number);
      return part?.etag === `"${etag}"` ? [part.bytes] : [];
    });
    const whole = stored(Buffer.concat(bodies));
    if (bodies.length !== parts.length || whole.sizeBytes !== size) return refused(409);
    this.#uploads.delete(upload_id);
    this.#store(area, key, { ...whole, etag: `"${randomUUID()}-${parts.length}"` });
    return answer({});
  }

  #store(area: string, key: string, object: Stored): void {
    (area === "files" ? this.files : this.outputs).set(key, object);
    const { sizeBytes, sha256 } = object;
    this.changes.push({ kind: "put", bucket: area, key, sizeBytes, sha256 });
  }
}

function parsed<T>(schema: z.ZodType<T>, body: unknown, serve: (value: T) => Reply): Reply {
  const { success, data } = schema.safeParse(body);
  return success ? serve(data) : refused(400);
}

function answer<T>(body: T): Reply {
  return { status: 200, headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
}

const codes: Record<number, ErrorBody["error"]> = {
  400: "invalid_request",
  401: "unauthorized",
  403: "forbidden",
  404: "not_found",
  409: "conflict",
};

function refused(status: number, reason?: RefusalReason): Reply {
  const error = codes[status] ?? "unavailable";
  const body = { error, message: "as the test wished", reason } satisfies ErrorBody;
  return { status, headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
}
