/**
 * The API's snapshots as the agent sees them, over real HTTP: grants, chunks, manifests, heads, commits, doubts. It checks what
 * the real API checks, and besides what nobody may ever do: a chunk whose bytes are not its name is noted as a violation.
 */
import { createHash, randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import {
  type CommitAnswer,
  CommitRequest,
  type DoubtAnswer,
  DoubtRequest,
  type ErrorBody,
  type GenerationName,
  type Grant,
  type GrantRequest,
  type Grants,
  GrantsRequest,
  type Head,
  HeadRequest,
  type LeaseProof,
  ManifestEntry,
  ManifestHead,
  type RefusalReason,
} from "../../../src/contract/index.ts";

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

export interface Generation extends GenerationName {
  prefix: string;
  manifest: { sha256: string; size: number };
  head: ManifestHead;
  entries: ManifestEntry[];
  state: "kept" | "retired" | "damaged";
}

interface Held {
  attempt: number;
  token: string;
  refusal?: RefusalReason;
}

interface Given extends Grant {
  asked: Asked;
  key: string;
  size: number;
  expiresMs: number;
}

export class SnapshotServer {
  jobId: string = randomUUID();
  /** For tests in which another server has the say about leases. */
  ignoresLeases = false;
  /** Asked in turn; the first fault counts. */
  readonly faults: ((asked: Asked) => Fault | undefined)[] = [];
  readonly asked: Asked[] = [];
  /** All that were ever committed, in their order. */
  readonly generations: Generation[] = [];
  readonly violations: string[] = [];
  readonly objects = new Map<string, Buffer>();
  /** Bytes of bodies that came in whole, by what they were. */
  readonly sentBytes = { put_chunk: 0, put_manifest: 0 };
  /** Of each body that comes in; Infinity: as fast as it goes. */
  bytesPerSecond = Number.POSITIVE_INFINITY;
  grantSeconds = 60;
  /** What is held is checked in its bytes and forgotten: for gigabytes. */
  keepsBytes = true;
  readonly sizes = new Map<string, number>();
  readonly #doubters = new Map<string, Set<string>>();
  readonly #given = new Map<string, Given>();
  readonly #watchers = new Set<() => void>();
  #held: Held = { attempt: 0, token: "" };
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
    this.#held = { attempt: this.#held.attempt + 1, token: randomUUID() };
    return { jobId: this.jobId, attempt: this.#held.attempt, token: this.#held.token };
  }

  /** The lease is gone. */
  refuse(reason: RefusalReason): void {
    this.#held.refusal = reason;
  }

  get head(): Generation | undefined {
    return this.generations.findLast(({ state }) => state === "kept");
  }

  headOf(prefix: string): Generation | undefined {
    return this.generations.findLast((one) => one.prefix === prefix && one.state === "kept");
  }

  /** Waits until it is so; looked at after everything that was served. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#watchers.add(resolve));
  }

  keyOf({ attempt, generation }: GenerationName, name: string): string {
    return `snapshots/user/${this.jobId}/${attempt}/${generation}/${name}`;
  }

  /** The content of a file in a generation; undefined: it is not in it. */
  contentOf({ head, entries }: Generation, path: string): Buffer | undefined {
    const entry = entries.find((one) => one.path === path);
    if (entry?.type !== "file") return undefined;
    return Buffer.concat(
      entry.pieces.map(([index, offset, bytes]) => {
        const [attempt, generation, sha256] = head.chunks[index] ?? [0, 0, ""];
        const chunk = this.objects.get(this.keyOf({ attempt, generation }, sha256));
        if (!chunk) throw new Error(`a chunk of ${path} is not there`);
        return chunk.subarray(offset, offset + bytes);
      }),
    );
  }

  /** Puts a generation in place as if some attempt had committed it. */
  plant(
    prefix: string,
    lines: unknown[],
    head: Partial<ManifestHead> = {},
    name: GenerationName = { attempt: this.#held.attempt, generation: this.generations.length + 1 },
  ): Generation {
    const files = lines.flatMap((line) => (isFile(line) ? [line] : []));
    const whole = {
      version: 1 as const,
      job_id: this.jobId,
      prefix,
      ...name,
      base: null,
      cut: new Date().toISOString(),
      quiet: true,
      files: files.length,
      bytes: files.reduce((sum, { size }) => sum + size, 0),
      chunks: [],
      ...head,
    } satisfies ManifestHead;
    const text = Buffer.from([whole, ...lines].map((line) => `${JSON.stringify(line)}\n`).join(""));
    const sha256 = digest("sha256", text);
    this.#store(this.keyOf(name, `manifest-${sha256}`), text);
    const generation: Generation = {
      prefix,
      ...name,
      manifest: { sha256, size: text.byteLength },
      head: whole,
      entries: [],
      state: "kept",
    };
    this.generations.push(generation);
    return generation;
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
    if (fault?.kind === "denies") return refuse(response, fault.status, "conflict");
    if (answer === undefined) return refuse(response, 409, "conflict");
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
    if (attempt !== this.#held.attempt) return "superseded";
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
        const head = this.headOf(prefix);
        const lost = !head && this.generations.some((one) => one.prefix === prefix);
        return { head: head ? { ...nameOf(head), manifest: head.manifest } : null, lost };
      }
      case "commit":
        return this.#commit(CommitRequest.parse(json));
      default:
        return this.#doubt(DoubtRequest.parse(json));
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
    this.#store(key, body);
    if (asked.step === "put_chunk" || asked.step === "put_manifest") this.sentBytes[asked.step] += size;
    return 200;
  }

  #store(key: string, body: Buffer): void {
    this.sizes.set(key, body.byteLength);
    if (this.keepsBytes || key.includes("/manifest-")) this.objects.set(key, body);
  }

  #commit(request: CommitRequest): CommitAnswer | undefined {
    const { attempt, generation, prefix, base, manifest, keep = 3 } = request;
    const name = { attempt, generation };
    const before = this.generations.find((one) => same(one, name));
    if (before) return before.manifest.sha256 === manifest.sha256 ? { committed: true } : undefined;
    const last = this.generations.findLast((one) => one.attempt === attempt);
    if (last && last.generation >= generation) return undefined;
    const current = this.headOf(prefix);
    if (!same(current ?? null, base)) return undefined;
    const text = this.objects.get(this.keyOf(name, `manifest-${manifest.sha256}`));
    if (text?.byteLength !== manifest.size) return { committed: false, missing: [manifest.sha256] };
    const [first, ...lines] = text.toString().trimEnd().split("\n");
    const head = ManifestHead.parse(JSON.parse(first ?? ""));
    const isIts =
      head.job_id === this.jobId && head.prefix === prefix && same(head, name) && same(head.base, base);
    if (!isIts) return undefined;
    const ofBase = new Set(current?.head.chunks.map((chunk) => chunk.slice(0, 3).join("/")));
    const missing = head.chunks.filter((chunk) => {
      const [itsAttempt, itsGeneration, sha256, bytes] = chunk;
      if (!same({ attempt: itsAttempt, generation: itsGeneration }, name))
        return !ofBase.has(chunk.slice(0, 3).join("/"));
      return this.sizes.get(this.keyOf(name, sha256)) !== bytes;
    });
    if (missing.length > 0)
      return { committed: false, missing: missing.map(([, , sha256]) => sha256).slice(0, 100) };
    const entries = lines.map((line) => ManifestEntry.parse(JSON.parse(line)));
    this.generations.push({ prefix, ...name, manifest, head, entries, state: "kept" });
    this.#retire(prefix, keep);
    return { committed: true };
  }

  /** Chunks that no kept manifest names are gone at once. */
  #retire(prefix: string, keep: number): void {
    const kept = this.generations.filter((one) => one.prefix === prefix && one.state === "kept");
    for (const old of kept.slice(0, -keep)) {
      old.state = "retired";
      const named = new Set(
        kept.slice(-keep).flatMap(({ head }) => head.chunks.map((chunk) => this.#keyOfChunk(chunk))),
      );
      for (const chunk of old.head.chunks) {
        const key = this.#keyOfChunk(chunk);
        if (named.has(key)) continue;
        this.objects.delete(key);
        this.sizes.delete(key);
      }
    }
  }

  #keyOfChunk([attempt, generation, sha256]: ManifestHead["chunks"][number]): string {
    return this.keyOf({ attempt, generation }, sha256);
  }

  #doubt({ prefix, head, chunk, problem, machine_id }: DoubtRequest): DoubtAnswer {
    const doubted = this.generations.find((one) => same(one, head));
    const key = chunk
      ? this.keyOf(chunk, chunk.sha256)
      : this.keyOf(head, `manifest-${doubted?.manifest.sha256}`);
    const doubters = this.#doubters.get(key) ?? new Set();
    this.#doubters.set(key, doubters.add(machine_id));
    const counts = problem === "missing" ? !this.objects.has(key) : doubters.size >= 2;
    if (!counts) return { moved: false };
    for (const one of this.generations) {
      const names = chunk ? one.head.chunks.some((its) => this.#keyOfChunk(its) === key) : one === doubted;
      if (one.prefix === prefix && names) one.state = "damaged";
    }
    return { moved: true };
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

function isFile(line: unknown): line is { type: "file"; size: number } {
  return typeof line === "object" && line !== null && "type" in line && line.type === "file";
}

function nameOf({ attempt, generation }: GenerationName): GenerationName {
  return { attempt, generation };
}

function same(one: GenerationName | null, other: GenerationName | null): boolean {
  return one?.attempt === other?.attempt && one?.generation === other?.generation;
}

export function digest(kind: "sha256" | "md5", bytes: Uint8Array): string {
  return createHash(kind).update(bytes).digest("hex");
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
