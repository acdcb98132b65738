/**
 * Snapshots of one attempt, as worker-agent takes them: resumes from the head with every object verified, sends what the base
 * does not have, commits until it is answered. Some are sloppy, as no agent should be and some bug will be: they name what they
 * remember of older generations, and take an upload without an answer for one that arrived.
 */
import type { ChunkName, ManifestHead } from "../../../src/contract/manifest.ts";
import type { GenerationName, Head } from "../../../src/contract/snapshot.ts";
import { chunkKey, manifestKey } from "../../../src/storage/keys.ts";
import type { StoragePorts } from "../../../src/storage/ports.ts";
import { type CommitOutcome, commitGeneration } from "../../../src/storage/snapshots/commit.ts";
import { doubtHead } from "../../../src/storage/snapshots/doubt.ts";
import { readHead } from "../../../src/storage/snapshots/head.ts";
import { second } from "../scenario.ts";
import type { StoredObject } from "../world/bucket.ts";
import type { Attempt } from "./attempt.ts";
import type { Machine } from "./machine.ts";
import type { Surroundings } from "./surroundings.ts";

const prefix = "state/";
const callTimeoutMs = 30 * second;
const transferTimeoutMs = 20 * second;
/** URLs outlive the lease by so much. */
const urlSlackMs = 5 * second;
/** A part of its chunks, then the manifest, then the commit; so often before a cut is given up. */
const maxRounds = 6;

export type Resumed =
  | { kind: "from"; doneMs: number }
  /** There were generations, and none is intact. */
  | { kind: "lost" }
  /** The storage or this machine is in trouble. */
  | { kind: "give back" };

/** What a manifest of the simulation says after its first line. */
interface Content {
  doneMs: number;
  files: string[];
}

export class Snapshots {
  readonly #world: Surroundings;
  readonly #machine: Machine;
  readonly #attempt: Attempt;
  readonly #sloppy: boolean;
  #base: GenerationName | null = null;
  /** Chunks that the base names, by hash. */
  #known = new Map<string, ChunkName>();
  /** All that this attempt has ever seen named. */
  readonly #remembered = new Map<string, ChunkName>();
  #files: string[] = [];
  #open = 1;
  /** Sent into the open generation. */
  #sent = new Set<string>();
  /** Keys that were sent before, whether they arrived or not. */
  readonly #tried = new Set<string>();
  #busy = false;
  #next: { doneMs: number; committed: () => void } | null = null;

  constructor(world: Surroundings, machine: Machine, attempt: Attempt) {
    this.#world = world;
    this.#machine = machine;
    this.#attempt = attempt;
    this.#sloppy = world.random.chance(0.3);
  }

  // Resume

  async resume(): Promise<Resumed> {
    for (;;) {
      const { head, lost } = await this.#askHead();
      if (head === null) return lost ? { kind: "lost" } : { kind: "from", doneMs: 0 };
      const problem = await this.#download(head);
      if (problem === null) return { kind: "from", doneMs: this.#resumedMs };
      if (problem === "trouble") return { kind: "give back" };
      const machineId = this.#machine.id;
      const doubt = { prefix, head, machineId, ...problem };
      const { moved } = await this.#ask(async (ports, place) => {
        const outcome = await doubtHead(ports, place, doubt);
        if (outcome.kind === "unknown") return null;
        // The head moved between; then what was doubted is not named any more.
        return { moved: outcome.kind === "judged" && outcome.moved };
      });
      if (!moved) return { kind: "give back" };
    }
  }

  #resumedMs = 0;

  async #download(head: NonNullable<Head["head"]>): Promise<
    | null
    | "trouble"
    | {
        chunk: { attempt: number; generation: number; sha256: string } | null;
        problem: "missing" | "corrupt";
      }
  > {
    const manifest = await this.#get(this.#manifestKey(head, head.manifest.sha256));
    if (manifest === "trouble") return "trouble";
    if (typeof manifest === "string") return { chunk: null, problem: manifest };
    const { chunks, content } = readManifest(manifest.text);
    for (const [attempt, generation, sha256] of chunks) {
      const chunk = await this.#get(this.#chunkKey(attempt, generation, sha256));
      if (chunk === "trouble") return "trouble";
      if (typeof chunk === "string") return { chunk: { attempt, generation, sha256 }, problem: chunk };
    }
    this.#base = { attempt: head.attempt, generation: head.generation };
    this.#learn(chunks);
    this.#files = content.files;
    this.#resumedMs = content.doneMs;
    return null;
  }

  // Cuts

  /** The state after `doneMs` of work. Newest wins: a cut that waits gives way to a newer one. */
  cut(doneMs: number, committed: () => void): void {
    this.#files = this.#changed();
    this.#next = { doneMs, committed };
    if (!this.#busy) void this.#carryOn();
  }

  async #carryOn(): Promise<void> {
    this.#busy = true;
    while (this.#next) {
      const { doneMs, committed } = this.#next;
      this.#next = null;
      if (await this.#carry(doneMs)) committed();
      // The last one of a command is never given up.
      else this.#next ??= { doneMs, committed };
      if (this.#next) await this.#pause(second);
    }
    this.#busy = false;
  }

  /** One cut to its end; false: not committed. */
  async #carry(doneMs: number): Promise<boolean> {
    const files = [...this.#files];
    for (let round = 0; round < maxRounds; round++) {
      const chunks = files.map((sha256) => this.#nameOf(sha256));
      const own = chunks.filter(
        ([attempt, generation, sha256]) =>
          attempt === this.#attempt.attempt && generation === this.#open && !this.#sent.has(sha256),
      );
      const expiresMs = await this.#grant();
      for (const [attempt, generation, sha256, size] of own) {
        const object = { size, text: `chunk ${sha256}`, sound: true };
        if (await this.#put(this.#chunkKey(attempt, generation, sha256), object, expiresMs))
          this.#sent.add(sha256);
      }
      if (own.some(([, , sha256]) => !this.#sent.has(sha256))) continue;
      const manifest = this.#manifest(chunks, { doneMs, files });
      if (!(await this.#put(manifest.key, manifest.object, expiresMs))) continue;
      const outcome = await this.#commit(manifest);
      if (outcome === "abandoned") {
        // An agent that restarts its uploads: whether the old one was committed it does not know.
        this.#begin();
        return false;
      }
      if (outcome.kind === "committed") {
        this.#base = { attempt: this.#attempt.attempt, generation: this.#open };
        this.#learn(chunks);
        this.#begin();
        this.#attempt.progress++;
        this.#world.storage.landed(this.#attempt.jobId, doneMs);
        return true;
      }
      if (outcome.kind === "missing") this.#forget(outcome.chunks);
      else if (outcome.kind === "superseded" || outcome.kind === "wrong_base") {
        await this.#refreshBase();
        this.#begin();
        return false;
      }
      // Else the manifest has rotted since it was sent: another one.
    }
    return false;
  }

  #begin(): void {
    this.#open++;
    this.#sent = new Set();
  }

  #learn(chunks: ChunkName[]): void {
    this.#known = new Map(chunks.map((chunk) => [chunk[2], chunk]));
    for (const chunk of chunks) this.#remembered.set(chunk[2], chunk);
  }

  #forget(missing: string[]): void {
    for (const sha256 of missing) {
      this.#sent.delete(sha256);
      this.#known.delete(sha256);
      this.#remembered.delete(sha256);
    }
  }

  #nameOf(sha256: string): ChunkName {
    const known = this.#known.get(sha256) ?? (this.#sloppy ? this.#remembered.get(sha256) : undefined);
    return (
      known ?? [this.#attempt.attempt, this.#open, sha256, 1_000 + (Number.parseInt(sha256, 16) % 1_000)]
    );
  }

  /** Files change, come, go, and now and then have again what they had before. */
  #changed(): string[] {
    const { random, storage } = this.#world;
    const before = [...this.#remembered.keys()];
    const fresh = () =>
      before.length > 0 && random.chance(0.25) ? random.pick(before) : storage.newSha256();
    const files = this.#files.map((sha256) => (random.chance(0.3) ? fresh() : sha256));
    if (files.length < 2 || (files.length < 6 && random.chance(0.3))) files.push(fresh());
    else if (random.chance(0.2)) files.shift();
    return [...new Set(files)];
  }

  #manifest(chunks: ChunkName[], content: Content): SentManifest {
    const head: ManifestHead = {
      version: 1,
      job_id: this.#attempt.jobId,
      prefix,
      attempt: this.#attempt.attempt,
      generation: this.#open,
      base: this.#base,
      cut: new Date(this.#world.schedule.nowMs).toISOString(),
      quiet: true,
      files: content.files.length,
      bytes: 1,
      chunks,
    };
    const text = `${JSON.stringify(head)}\n${JSON.stringify(content)}\n`;
    const sha256 = this.#world.storage.newSha256();
    const key = this.#manifestKey({ attempt: this.#attempt.attempt, generation: this.#open }, sha256);
    return { key, object: { size: text.length, text, sound: true }, sha256 };
  }

  // Calls of the API

  async #commit(manifest: SentManifest): Promise<CommitOutcome | "abandoned"> {
    const commit = {
      prefix,
      base: this.#base,
      generation: this.#open,
      manifest: { sha256: manifest.sha256, size: manifest.object.size },
      // Rules do not change while a job runs; other clients may do as they like.
      keep: this.#world.random.int(1, 3),
    };
    const mayAbandon = this.#world.random.chance(0.2);
    for (;;) {
      await this.#trusted();
      this.#world.judge.uploadBegan(this.#attempt);
      const outcome = await this.#askOnce((ports, place) => commitGeneration(ports, place, commit));
      if (outcome?.kind === "superseded" || outcome?.kind === "wrong_base")
        this.#world.judge.storage.commitRefused(this.#attempt.jobId, manifest.key);
      if (outcome !== null && outcome.kind !== "unknown") return outcome;
      // What cost the answer often takes the node with it.
      this.#machine.cutOff(this.#world.faults.ofLostAnswer());
      if (mayAbandon) return "abandoned";
      await this.#pause(this.#world.random.between(0.5, 5) * second);
    }
  }

  async #askHead(): Promise<Head> {
    const { jobId } = this.#attempt;
    return this.#ask((ports) => {
      const askedMs = this.#world.schedule.nowMs;
      return readHead(ports, jobId, prefix).then((head) => {
        if (head) this.#world.judge.storage.headTold(jobId, askedMs, head);
        return head;
      });
    });
  }

  /** After a refusal of a lease that still holds: what is the head now? */
  async #refreshBase(): Promise<void> {
    const { head } = await this.#askHead();
    this.#base = head && { attempt: head.attempt, generation: head.generation };
    this.#known = new Map();
    if (!head) return;
    const manifest = await this.#get(this.#manifestKey(head, head.manifest.sha256));
    // Without it everything is sent again.
    if (typeof manifest !== "string") this.#learn(readManifest(manifest.text).chunks);
  }

  /** URLs for writing, until when. */
  async #grant(): Promise<number> {
    const { schedule } = this.#world;
    return this.#ask(
      async (_ports, _place, leaseSeconds) => schedule.nowMs + leaseSeconds * second + urlSlackMs,
    );
  }

  /** Until it is answered. */
  async #ask<T>(
    work: (ports: StoragePorts, place: Place, leaseSeconds: number) => Promise<T | null>,
  ): Promise<T> {
    for (;;) {
      const answer = await this.#askOnce(work);
      if (answer !== null) return answer;
      await this.#pause(this.#world.random.between(0.5, 5) * second);
    }
  }

  /** Under the lease, which it renews; null: no answer, or "ask again". An attempt that is told that it is over goes no further. */
  #askOnce<T>(
    work: (ports: StoragePorts, place: Place, leaseSeconds: number) => Promise<T | null>,
  ): Promise<T | null> {
    const { network, judge, key, worker, schedule } = this.#world;
    const { jobId, attempt: number, token, claimId } = this.#attempt;
    const machineId = this.#machine.id;
    const { promise, resolve } = Promise.withResolvers<T | null>();
    network.send<{ refused: boolean; value: T | null }>({
      from: this.#machine,
      timeoutMs: callTimeoutMs,
      work: async (engine) => {
        const startedMs = schedule.nowMs;
        const renewal = { jobId, attempt: number, leaseToken: token };
        const [answer] = await judge.renewing([this.#attempt], () => engine.renew(key, machineId, [renewal]));
        if (answer) {
          judge.renewed({ jobId, machineId, attempt: number, stranger: false, claimId, startedMs }, answer);
        }
        if (answer?.status === "canceled" || answer?.status === "unknown")
          return { refused: true, value: null };
        if (answer?.status !== "running") return { refused: false, value: null };
        const place = { userId: key.userId, jobId, attempt: number };
        return { refused: false, value: await work(worker.request(), place, answer.leaseSeconds) };
      },
      answered: () => undefined,
      done: (answer) => {
        if (this.#attempt.quiet) return;
        if (answer?.refused) {
          judge.refused("storage call refused");
          this.#attempt.drop();
          return;
        }
        schedule.touched = true;
        resolve(answer?.value ?? null);
      },
    });
    return promise;
  }

  // Bytes

  /** True: it is there, or so the machine believes. */
  async #put(key: string, object: StoredObject, expiresMs: number): Promise<boolean> {
    const { faults, random, schedule, bucket, judge } = this.#world;
    await this.#trusted();
    judge.uploadBegan(this.#attempt);
    const fault = this.#machine.cut ? "lost" : faults.ofTransfer();
    // What was read well once may not be so the second time.
    const again = this.#tried.has(key);
    this.#tried.add(key);
    const flawed = this.#machine.flawed && random.chance(again ? 0.5 : 0.03);
    const sent = flawed ? { ...object, text: `${object.text}?`, sound: false } : object;
    const lastsMs = random.logBetween(20, 8 * second);
    let stored = false;
    const land = (afterMs: number) =>
      schedule.after(afterMs, () => {
        // A URL may be used until it expires; what has begun by then may still land.
        if (schedule.nowMs - lastsMs > expiresMs) return;
        bucket.put(key, sent, true);
        stored = true;
      });
    // Half of the late ones use their URL in its last moment.
    if (fault === "late") {
      land(lastsMs + Math.max(0, expiresMs - schedule.nowMs) * (random.chance(0.5) ? 0.98 : random.next()));
    } else if (fault !== "lost") land(lastsMs);
    await this.#pause(fault === null ? lastsMs + 10 : transferTimeoutMs);
    return (stored && fault === null) || (this.#sloppy && fault !== null && random.chance(0.5));
  }

  /** A verified object, or what is wrong with it. */
  async #get(key: string): Promise<StoredObject | "missing" | "corrupt" | "trouble"> {
    const { faults, random, bucket } = this.#world;
    for (let tries = 0; tries < 4; tries++) {
      await this.#pause(random.logBetween(20, 2 * second));
      if (this.#machine.cut || faults.ofTransfer() !== null) continue;
      const object = bucket.get(key);
      if (!object) return "missing";
      if (this.#machine.flawed && random.chance(0.15)) return random.pick(["missing", "corrupt"] as const);
      return object.sound ? object : "corrupt";
    }
    return "trouble";
  }

  /** Until effects are allowed; an attempt that is over goes no further. */
  async #trusted(): Promise<void> {
    while (!this.#attempt.trusts()) {
      this.#world.judge.refused("upload withheld");
      if (this.#attempt.trust.ended.aborted) this.#attempt.drop();
      await this.#pause(this.#world.random.between(2, 5) * second);
    }
  }

  /** In the machine's time; what belongs to an attempt that is over never comes back. */
  #pause(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#machine.after(ms, () => {
      if (this.#attempt.quiet) return;
      this.#world.schedule.touched = true;
      resolve();
    });
    return promise;
  }

  #chunkKey(attempt: number, generation: number, sha256: string): string {
    const place = { userId: this.#world.key.userId, jobId: this.#attempt.jobId, attempt };
    return chunkKey(place, generation, sha256);
  }

  #manifestKey({ attempt, generation }: GenerationName, sha256: string): string {
    const place = { userId: this.#world.key.userId, jobId: this.#attempt.jobId, attempt };
    return manifestKey(place, generation, sha256);
  }
}

interface SentManifest {
  key: string;
  object: StoredObject;
  sha256: string;
}
type Place = { userId: string; jobId: string; attempt: number };

function readManifest(text: string): { chunks: ChunkName[]; content: Content } {
  const [head = "", content = ""] = text.split("\n");
  return { chunks: (JSON.parse(head) as ManifestHead).chunks, content: JSON.parse(content) as Content };
}
