/**
 * What the fake API keeps of snapshots, and by which rules: chunks and manifests, generations in their order, commits, retention,
 * doubts. As the real API's src/storage/snapshots, but at once and without a database.
 */
import { createHash, randomUUID } from "node:crypto";
import {
  type CommitAnswer,
  type CommitRequest,
  type DoubtAnswer,
  type DoubtRequest,
  type GenerationName,
  type Head,
  ManifestEntry,
  ManifestHead,
} from "../../../src/contract/index.ts";

export interface Generation extends GenerationName {
  prefix: string;
  manifest: { sha256: string; size: number };
  head: ManifestHead;
  entries: ManifestEntry[];
  state: "kept" | "retired" | "damaged";
}

export class GenerationStorage {
  jobId: string = randomUUID();
  /** The newest attempt. */
  attempt = 0;
  /** All that were ever committed, in their order. */
  readonly generations: Generation[] = [];
  readonly objects = new Map<string, Buffer>();
  readonly sizes = new Map<string, number>();
  /** What is held is checked in its bytes and forgotten: for gigabytes. */
  keepsBytes = true;
  readonly #doubters = new Map<string, Set<string>>();

  get head(): Generation | undefined {
    return this.generations.findLast(({ state }) => state === "kept");
  }

  headOf(prefix: string): Generation | undefined {
    return this.generations.findLast((one) => one.prefix === prefix && one.state === "kept");
  }

  answerHead(prefix: string): Head {
    const head = this.headOf(prefix);
    const lost = !head && this.generations.some((one) => one.prefix === prefix);
    return { head: head ? { ...nameOf(head), manifest: head.manifest } : null, lost };
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
    name: GenerationName = { attempt: this.attempt, generation: this.generations.length + 1 },
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
    this.store(this.keyOf(name, `manifest-${sha256}`), text);
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

  store(key: string, body: Buffer): void {
    this.sizes.set(key, body.byteLength);
    if (this.keepsBytes || key.includes("/manifest-")) this.objects.set(key, body);
  }

  commit(request: CommitRequest): CommitAnswer | undefined {
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

  doubt({ prefix, head, chunk, problem, machine_id }: DoubtRequest): DoubtAnswer {
    const doubted = this.generations.find((one) => same(one, head));
    const key = chunk
      ? this.keyOf(chunk, chunk.sha256)
      : this.keyOf(head, `manifest-${doubted?.manifest.sha256}`);
    const doubters = this.#doubters.get(key) ?? new Set();
    this.#doubters.set(key, doubters.add(machine_id));
    const stored = this.objects.get(key);
    const sha256 = chunk?.sha256 ?? doubted?.manifest.sha256;
    const isDamaged = problem === "missing" ? !stored : !stored || digest("sha256", stored) !== sha256;
    // A manifest can be nonsense in spite of its hash: two machines say so.
    const isBelieved = problem === "corrupt" && !chunk && doubters.size >= 2;
    if (!isDamaged && !isBelieved) return { moved: false };
    for (const one of this.generations) {
      const names = chunk ? one.head.chunks.some((its) => this.#keyOfChunk(its) === key) : one === doubted;
      if (one.prefix === prefix && names) one.state = "damaged";
    }
    return { moved: true };
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
