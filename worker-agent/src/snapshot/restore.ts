/**
 * Brings the newest intact generation into a directory. Nothing is used before its hash is verified, nothing appears in the
 * directory before everything is there, and nothing is written outside it. What cannot be read is doubted (docs/storage.md):
 * the API decides whether the head goes back to an older generation. Never silently from zero.
 */
import type { ChunkName, DoubtRequest, GenerationName, Head } from "../../../src/contract/index.ts";
import { TransferError } from "../transfer/ports.ts";
import type { SnapshotContext } from "./ports.ts";
import { CorruptManifest, type Manifest, readManifest } from "./read-manifest.ts";
import { sha256Of } from "./reading.ts";
import { restoreFiles } from "./restore-files.ts";
import type { Restored } from "./restored.ts";
import type { SnapshotStore } from "./snapshot-store.ts";
import { digestOf } from "./write-manifest.ts";

/** Each doubt that counts damages a generation; more than are ever kept is no way back any more. */
const headsMax = 120;

/** Something of the head that the storage does not hold as it was committed. */
export class Unreadable extends Error {
  override readonly name = "Unreadable";
  readonly chunk: DoubtRequest["chunk"];
  readonly problem: DoubtRequest["problem"];
  constructor(chunk: DoubtRequest["chunk"], problem: DoubtRequest["problem"], why: string) {
    super(why);
    this.chunk = chunk;
    this.problem = problem;
  }
}

export interface RestoreSettings {
  store: SnapshotStore;
  prefix: string;
  /** Absolute; exists. */
  root: string;
  context: SnapshotContext;
}

/** Undefined: there is no generation, and never was one. */
export async function restore(settings: RestoreSettings): Promise<Restored | undefined> {
  const { store, prefix } = settings;
  for (let heads = 1; heads <= headsMax; heads += 1) {
    const { head, lost } = await store.head(prefix);
    if (!head) {
      if (lost) throw new TransferError("config", lostOf(prefix));
      return undefined;
    }
    try {
      return await restoreGeneration(head, settings);
    } catch (failure) {
      if (!(failure instanceof Unreadable)) throw failure;
      await doubt(head, failure, settings);
    }
  }
  throw new TransferError("storage", `the snapshots of ${prefix} are unreadable, one after the other`);
}

function lostOf(prefix: string): string {
  return `the snapshots of ${prefix} are lost: there were some and none is intact; the job is not begun again from zero by itself`;
}

/** Returns when the head has moved. */
async function doubt(
  { attempt, generation }: GenerationName,
  { chunk, problem, message }: Unreadable,
  { store, prefix, context }: RestoreSettings,
): Promise<void> {
  const which = `generation ${attempt}/${generation} of ${prefix}`;
  const { moved } = await store.doubt({ prefix, head: { attempt, generation }, chunk, problem });
  if (!moved) {
    // What the storage alone misses may come back; other bytes may be this machine's own doing.
    throw new TransferError(problem === "missing" ? "storage" : "node", `${which}: ${message}`);
  }
  context.onProblem?.(`${which} is damaged: ${message}; going back to the one before`);
}

async function restoreGeneration(
  head: NonNullable<Head["head"]>,
  settings: RestoreSettings,
): Promise<Restored> {
  const { context, prefix, root, store } = settings;
  const { observer } = context;
  observer.began("download", root);
  let bytes = 0;
  try {
    const text = await fetchManifest(head, store);
    bytes += text.byteLength;
    const manifest = await parse(text, head, settings);
    const files = await restoreFiles(manifest, {
      root,
      signal: context.signal,
      async fetch(chunk) {
        const content = await fetchChunk(chunk, store);
        bytes += content.byteLength;
        return content;
      },
    });
    const body = text.subarray(text.indexOf(0x0a) + 1);
    const { attempt, generation, files: count, bytes: total, chunks } = manifest.head;
    context.onRestored({ prefix, attempt, generation, files: count, bytes: total });
    return { prefix, root, head: manifest.head, digest: digestOf(chunks, body), ...files };
  } finally {
    observer.ended("download", root, bytes);
  }
}

async function fetchManifest(head: NonNullable<Head["head"]>, store: SnapshotStore): Promise<Buffer> {
  const fetch = () => store.getManifest(head);
  return await verified(fetch, head.manifest.sha256, null, "the manifest");
}

async function fetchChunk([attempt, generation, sha256, bytes]: ChunkName, store: SnapshotStore) {
  const fetch = () => store.getChunk([attempt, generation, sha256, bytes]);
  return await verified(
    fetch,
    sha256,
    { attempt, generation, sha256 },
    `chunk ${attempt}/${generation}/${sha256}`,
  );
}

/** A flipped bit on the way is fetched again; the same twice is doubted. */
async function verified(
  fetch: () => Promise<Buffer | undefined>,
  sha256: string,
  chunk: DoubtRequest["chunk"],
  what: string,
): Promise<Buffer> {
  for (let tries = 1; ; tries += 1) {
    const bytes = await fetch();
    if (!bytes) throw new Unreadable(chunk, "missing", `${what} is missing`);
    if ((await sha256Of(bytes)) === sha256) return bytes;
    if (tries === 2) throw new Unreadable(chunk, "corrupt", `${what} has other bytes than were committed`);
  }
}

async function parse(
  text: Buffer,
  head: NonNullable<Head["head"]>,
  { context, prefix }: RestoreSettings,
): Promise<Manifest> {
  try {
    return await readManifest(text, { jobId: context.lease.jobId, prefix, name: head });
  } catch (failure) {
    if (!(failure instanceof CorruptManifest)) throw failure;
    throw new Unreadable(null, "corrupt", `the manifest is not to be trusted: ${failure.message}`);
  }
}
