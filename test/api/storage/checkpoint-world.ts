/** Agents that assemble generations: over the wire, with bytes in the bucket that the Worker is bound to. */
import { env } from "cloudflare:workers";
import { expect } from "vitest";
import type {
  CheckpointList,
  ClaimedJob,
  CommitAnswer,
  DoubtAnswer,
  ErrorBody,
  GenerationName,
  Head,
  HeartbeatAnswer,
} from "../../../src/contract/index.ts";
import { type Answer, send, submit } from "../http/client.ts";

export const prefix = "state/";
export type User = { id: string; key: string };
/** `[attempt, generation, sha256, bytes]`, as manifests name chunks. */
export type Chunk = [number, number, string, number];

/** Queues a job with one series of snapshots, and lets a machine have it. */
export async function begin(user: User, group: string, machine = "m1"): Promise<Agent> {
  const during = [{ prefix, local_path: "/state", direction: "upload", mode: "snapshot" }];
  await submit(user.key, { container_group_id: group, sync: { during } });
  return claimNext(user, group, machine);
}

/** The next attempt of the job that waits there. */
export async function claimNext(user: User, group: string, machine: string): Promise<Agent> {
  const query = `machine_id=${machine}&container_group_id=${group}&claim_id=${crypto.randomUUID()}`;
  const { body } = await send<ClaimedJob[]>("GET", `/work?${query}`, { key: user.key });
  const [job] = body;
  if (!job) throw new Error("no job");
  const agent = new Agent(user, group, machine, job);
  expect((await agent.beat()).status).toBe("running");
  return agent;
}

export class Agent {
  readonly user: User;
  readonly machine: string;
  readonly job: ClaimedJob;
  readonly #group: string;

  constructor(user: User, group: string, machine: string, job: ClaimedJob) {
    this.user = user;
    this.#group = group;
    this.machine = machine;
    this.job = job;
  }

  get proof() {
    return {
      machine_id: this.machine,
      container_group_id: this.#group,
      attempt: this.job.attempt,
      lease_token: this.job.lease_token,
    };
  }

  /** Below the bucket's root. */
  get place() {
    return `snapshots/${this.user.id}/${this.job.id}/${this.job.attempt}`;
  }

  post<Body = ErrorBody>(path: string, body: object): Promise<Answer<Body>> {
    const { key } = this.user;
    return send<Body>("POST", `/jobs/${this.job.id}/${path}`, { key, body: { ...this.proof, ...body } });
  }

  async beat(): Promise<HeartbeatAnswer> {
    return (await this.post<HeartbeatAnswer>("heartbeat", {})).body;
  }

  /** Sends a chunk of the open generation. */
  async put(generation: number, text: string): Promise<Chunk> {
    const sha256 = await sha256Of(text);
    await env.CHECKPOINTS.put(`${this.place}/${generation}/${sha256}`, text);
    return [this.job.attempt, generation, sha256, text.length];
  }

  /** Sends a manifest; `more` replaces fields of its first line. */
  async manifest(
    generation: number,
    base: GenerationName | null,
    chunks: Chunk[],
    more: Record<string, unknown> = {},
  ): Promise<{ sha256: string; size: number }> {
    const head = {
      version: 1,
      job_id: this.job.id,
      prefix,
      attempt: this.job.attempt,
      generation,
      base,
      cut: new Date().toISOString(),
      quiet: true,
      files: 1,
      bytes: chunks.reduce((sum, [, , , bytes]) => sum + bytes, 0),
      chunks,
      ...more,
    };
    const text = `${JSON.stringify(head)}\n{"type":"directory","path":"d","mode":493,"mtime_ns":"0"}\n`;
    const sha256 = await sha256Of(text);
    await env.CHECKPOINTS.put(`${this.place}/${generation}/manifest-${sha256}`, text);
    return { sha256, size: text.length };
  }

  commit<Body = CommitAnswer>(
    generation: number,
    base: GenerationName | null,
    manifest: { sha256: string; size: number },
    more: Record<string, unknown> = {},
  ): Promise<Answer<Body>> {
    return this.post<Body>("checkpoints", { prefix, base, generation, manifest, ...more });
  }

  /** Sends a manifest of these chunks and commits it. */
  async commits(
    generation: number,
    base: GenerationName | null,
    chunks: Chunk[],
    more: Record<string, unknown> = {},
  ): Promise<GenerationName> {
    const manifest = await this.manifest(generation, base, chunks, { prefix: more.prefix ?? prefix });
    const { status, body } = await this.commit(generation, base, manifest, more);
    expect(body).toEqual({ committed: true });
    expect(status).toBe(200);
    return { attempt: this.job.attempt, generation };
  }

  async head(of = prefix): Promise<Head> {
    const { status, body } = await this.post<Head>("checkpoints/head", { prefix: of });
    expect(status).toBe(200);
    return body;
  }

  doubt<Body = DoubtAnswer>(
    head: GenerationName,
    chunk: Chunk | null,
    problem: "missing" | "corrupt",
  ): Promise<Answer<Body>> {
    const [attempt, generation, sha256] = chunk ?? [];
    return this.post<Body>("checkpoints/doubt", {
      prefix,
      head,
      chunk: chunk && { attempt, generation, sha256 },
      problem,
    });
  }

  async release(): Promise<void> {
    expect((await this.post("released", {})).status).toBe(200);
  }

  async checkpoints(): Promise<CheckpointList["checkpoints"]> {
    const { status, body } = await send<CheckpointList>("GET", `/jobs/${this.job.id}/checkpoints`, {
      key: this.user.key,
    });
    expect(status).toBe(200);
    return body.checkpoints;
  }

  /** What is in the bucket of this job: `attempt/generation/name`. */
  async stored(): Promise<string[]> {
    const root = `snapshots/${this.user.id}/${this.job.id}/`;
    const { objects } = await env.CHECKPOINTS.list({ prefix: root });
    return objects.map(({ key }) => key.slice(root.length));
  }
}

export async function sha256Of(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export const placeOf = ([attempt, generation, sha256]: Chunk) => `${attempt}/${generation}/${sha256}`;

/** Makes the bucket's pages short, so that a few objects take several; returns how to end that. */
export function shortPages(limit: number): () => void {
  const bucket = Object.getPrototypeOf(env.CHECKPOINTS) as R2Bucket;
  const list = bucket.list;
  bucket.list = function short(this: R2Bucket, options?: R2ListOptions) {
    return list.call(this, { ...options, limit });
  };
  return () => {
    bucket.list = list;
  };
}

/** Makes every end of an attempt so much older. */
export async function ago(minutes: number, jobId: string): Promise<void> {
  await env.DB.prepare("UPDATE attempts SET ended = ended - ? WHERE job_id = ?")
    .bind(minutes * 60_000, jobId)
    .run();
}
