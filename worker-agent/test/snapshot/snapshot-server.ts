/**
 * The API's snapshots as the agent sees them, over real HTTP: grants, chunks, manifests, heads, commits, doubts. It checks what
 * the real API checks (what is kept by which rules: generation-storage.ts), and besides what nobody may ever do: a chunk
 * whose bytes are not its name is noted as a violation.
 */
import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import {
  type CommitAnswer,
  CommitRequest,
  type DoubtAnswer,
  DoubtRequest,
  type ErrorBody,
  type Grant,
  type GrantRequest,
  type Grants,
  GrantsRequest,
  type Head,
  HeadRequest,
  type LeaseProof,
  type RefusalReason,
} from "../../../src/contract/index.ts";
import { digest, GenerationStorage } from "./generation-storage.ts";

export type Step = "grants" | "head" | "commit" | "doubt" | GrantRequest["kind"];

/** What is being asked: a call, or a request by a granted URL (`sha256`: of the chunk or manifest that it is about). */
export interface Asked {
  step: Step;
  attempt: number;
  sha256?: string;
  generation?: number;
}

export type Fault =
  | { kind: "answer"; status: number; code?: string }
  | { kind: "reset" }
  /** Applied, but the answer never arrives. */
  | { kind: "losesAnswer" }
  /** Applied, and then denied. */
  | { kind: "denies"; status: number }
  /** A body that is sent breaks off after so many bytes. */
  | { kind: "cut"; afterBytes: number }
  /** One bit of the body that is sent is another one. */
  | { kind: "flips" }
  /** A body is taken in; before anything is applied, this is awaited. */
  | { kind: "hold"; until: Promise<void> };

interface Held {
  token: string;
  refusal?: RefusalReason;
}

interface Given extends Grant {
  asked: Asked;
  key: string;
  size: number;
  expiresMs: number;
}

export class SnapshotServer extends GenerationStorage {
  /** For tests in which another server has the say about leases. */
  ignoresLeases = false;
  /** Asked in turn; the first fault counts. */
  readonly faults: ((asked: Asked) => Fault | undefined)[] = [];
  readonly asked: Asked[] = [];
  readonly violations: string[] = [];
  /** Bytes of bodies that came in whole, by what they were. */
  readonly sentBytes = { put_chunk: 0, put_manifest: 0 };
  /** Of each body that comes in; Infinity: as fast as it goes. */
  bytesPerSecond = Number.POSITIVE_INFINITY;
  grantSeconds = 60;
  readonly #given = new Map<string, Given>();
  readonly #watchers = new Set<() => void>();
  #held: Held = { token: "" };
  readonly #server = createServer((request, response) => {
    this.#serve(request, response).catch(() => response.destroy());
  });

  static async start(): Promise<SnapshotServer> {
    const server = new SnapshotServer();
    await new Promise<void>((resolve) => server.#server.listen(0, "127.0.0.1", resolve));
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  stop(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  /** Another attempt holds the job from now on; its lease. */
  claim(): { jobId: string; attempt: number; token: string } {
    this.#held = { token: randomUUID() };
    this.attempt += 1;
    return { jobId: this.jobId, attempt: this.attempt, token: this.#held.token };
  }

  /** The lease is gone. */
  refuse(reason: RefusalReason): void {
    this.#held.refusal = reason;
  }

  /** Waits until it is so; looked at after everything that was served. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#watchers.add(resolve));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", this.url);
    const given = this.#given.get(url.searchParams.get("grant") ?? "");
    try {
      if (given) await this.#serveObject(given, request, response);
      else await this.#serveCall(url, request, response);
    } finally {
      this.#wake();
    }
  }

  #wake(): void {
    for (const watcher of this.#watchers) watcher();
    this.#watchers.clear();
  }

  async #serveCall(url: URL, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const json = JSON.parse((await this.#take(request)).toString());
    const [, jobId, path] = /^\/jobs\/([^/]+)\/(.+)$/.exec(url.pathname) ?? [];
    const step = { "storage/grants": "grants", checkpoints: "commit", "checkpoints/head": "head" }[
      path ?? ""
    ];
    const asked: Asked = {
      step: (step as Step | undefined) ?? "doubt",
      attempt: json.attempt,
      generation: json.generation,
      sha256: json.manifest?.sha256,
    };
    if (jobId !== this.jobId) return refuse(response, 404, "not_found");
    const fault = this.#ask(asked);
    if (fault?.kind === "hold") await fault.until;
    if (fault?.kind === "answer") return refuse(response, fault.status, "unavailable");
    if (fault?.kind === "reset") return void request.socket.destroy();
    const reason = this.#refusal(json);
    if (reason) return refuse(response, 409, "conflict", reason);
    const answer = this.#call(asked.step, json);
    if (fault?.kind === "losesAnswer") return void request.socket.destroy();
    if (fault?.kind === "denies") return refuse(response, fault.status, "conflict", "wrong_base");
    if (answer === undefined) return refuse(response, 409, "conflict", "wrong_base");
    response.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify(answer));
  }

  #ask(asked: Asked): Fault | undefined {
    this.asked.push(asked);
    this.#wake();
    for (const rule of this.faults) {
      const fault = rule(asked);
      if (fault) return fault;
    }
    return undefined;
  }

  #refusal({ attempt, lease_token }: LeaseProof): RefusalReason | undefined {
    if (this.ignoresLeases) return undefined;
    if (this.#held.refusal) return this.#held.refusal;
    if (attempt !== this.attempt) return "superseded";
    return lease_token === this.#held.token ? undefined : "not_holder";
  }

  #call(step: Step, json: unknown): Grants | Head | CommitAnswer | DoubtAnswer | undefined {
    switch (step) {
      case "grants": {
        const { attempt, requests } = GrantsRequest.parse(json);
        return { grants: requests.map((wish) => this.#grant(attempt, wish)) };
      }
      case "head": {
        const { prefix } = HeadRequest.parse(json);
        return this.answerHead(prefix);
      }
      case "commit":
        return this.commit(CommitRequest.parse(json));
      default:
        return this.doubt(DoubtRequest.parse(json));
    }
  }

  #grant(holder: number, wish: GrantRequest): Grant {
    const id = randomUUID();
    const url = `${this.url}/objects?grant=${id}`;
    const expires_seconds = this.grantSeconds;
    const keep = (asked: Asked, key: string, size: number, grant: Pick<Grant, "method" | "headers">) => {
      const given = { url, expires_seconds, ...grant };
      const expiresMs = performance.now() + expires_seconds * 1000;
      this.#given.set(id, { ...given, asked, key, size, expiresMs });
      return given;
    };
    switch (wish.kind) {
      case "put_chunk":
      case "put_manifest": {
        const { kind, generation, sha256, md5, size } = wish;
        const name = kind === "put_chunk" ? sha256 : `manifest-${sha256}`;
        const headers = { "content-md5": Buffer.from(md5, "hex").toString("base64"), "if-none-match": "*" };
        const asked = { step: kind, attempt: holder, generation, sha256 };
        const key = this.keyOf({ attempt: holder, generation }, name);
        return keep(asked, key, size, { method: "PUT", headers });
      }
      case "get_chunk":
      case "get_manifest": {
        const { kind, attempt, generation, sha256 } = wish;
        const name = kind === "get_chunk" ? sha256 : `manifest-${sha256}`;
        const asked = { step: kind, attempt, generation, sha256 };
        return keep(asked, this.keyOf({ attempt, generation }, name), 0, { method: "GET", headers: {} });
      }
      default:
        throw new Error(`no snapshot needs ${wish.kind}`);
    }
  }

  async #serveObject(given: Given, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { asked, key } = given;
    const fault = this.#ask(asked);
    if (fault?.kind === "reset") return void request.socket.destroy();
    if (performance.now() > given.expiresMs) return noSuch(response, 403, "AccessDenied");
    if (fault?.kind === "answer") return noSuch(response, fault.status, fault.code ?? "InternalError");
    if (given.method === "GET") {
      const stored = this.objects.get(key);
      if (!stored) return noSuch(response, 404, "NoSuchKey");
      return send(stored, fault, response);
    }
    const body = await this.#take(request);
    if (fault?.kind === "hold") await fault.until;
    const status = this.#put(given, request, body);
    if (fault?.kind === "losesAnswer") return void request.socket.destroy();
    if (status === 200) response.writeHead(200).end();
    else noSuch(response, status, "Refused");
  }

  #put({ asked, key, headers, size }: Given, request: IncomingMessage, body: Buffer): number {
    for (const [name, value] of Object.entries(headers)) {
      if (request.headers[name] !== value) return 403;
    }
    if (body.byteLength !== size) return 400;
    if (Buffer.from(digest("md5", body), "hex").toString("base64") !== headers["content-md5"]) return 400;
    if (digest("sha256", body) !== asked.sha256) this.violations.push(`${key} holds other bytes`);
    if (this.sizes.has(key)) return 412;
    this.store(key, body);
    if (asked.step === "put_chunk" || asked.step === "put_manifest") this.sentBytes[asked.step] += size;
    return 200;
  }

  async #take(request: IncomingMessage): Promise<Buffer> {
    const parts: Buffer[] = [];
    for await (const part of request) {
      parts.push(part);
      if (this.bytesPerSecond !== Number.POSITIVE_INFINITY)
        await delay((part.byteLength / this.bytesPerSecond) * 1000);
    }
    return Buffer.concat(parts);
  }
}

function send(stored: Buffer, fault: Fault | undefined, response: ServerResponse): void {
  const body = Buffer.from(stored);
  if (fault?.kind === "flips") body[body.byteLength >> 1] = (body[body.byteLength >> 1] ?? 0) ^ 4;
  response.writeHead(200, { "Content-Length": body.byteLength });
  if (fault?.kind !== "cut") return void response.end(body);
  response.write(body.subarray(0, fault.afterBytes), () => response.destroy());
}

function refuse(
  response: ServerResponse,
  status: number,
  error: ErrorBody["error"],
  reason?: RefusalReason,
): void {
  const body: ErrorBody = { error, message: "refused by the test", reason };
  response.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(body));
}

function noSuch(response: ServerResponse, status: number, code: string): void {
  response
    .writeHead(status)
    .end(`<?xml version="1.0"?><Error><Code>${code}</Code><Message>no</Message></Error>`);
}
