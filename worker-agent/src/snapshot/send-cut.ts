/**
 * Sends one cut and commits it. Every step may be repeated: chunks are named by what is in them, and a commit that was
 * applied once is a success each time. Memory: `chunksAtOnce` chunks of 8 MiB, besides the names of files and chunks.
 */
import { type GenerationName, type Head, ManifestHead } from "../../../src/contract/index.ts";
import { forEachBounded } from "../transfer/bounded.ts";
import { throwIfEnded } from "../transfer/effects.ts";
import { FileDisturbed, LocalFailure, StorageError } from "../transfer/failures.ts";
import { type TransferContext, TransferError } from "../transfer/ports.ts";
import type { Chunk } from "./content.ts";
import type { Cut } from "./cut.ts";
import { nameBytes, sha256Of } from "./reading.ts";
import type { Series } from "./series.ts";
import type { SnapshotStore } from "./snapshot-store.ts";
import { readSegments, type Segment } from "./sources.ts";
import { digestOf, type WrittenManifest, writeManifest } from "./write-manifest.ts";

/** A home uplink is full with two; the others hide the round trips between them. */
const chunksAtOnce = 4;
/** The API misses chunks that were acknowledged, or knows another head: more than a few times is no accident. */
const commitsMax = 3;

/** A file's bytes are not those of the cut any more: the cut can never be sent whole. */
export class CutSpoiled extends Error {
  override readonly name = "CutSpoiled";
  /** Relative path of the file, where it is one. */
  readonly path: string | undefined;
  constructor(path: string | undefined) {
    super(`${path ?? "a file"} changed before its bytes were sent`);
    this.path = path;
  }
}

export interface SendSettings {
  store: SnapshotStore;
  series: Series;
  context: TransferContext;
  keep: number | undefined;
  mtimeOf(path: string, seenNs: bigint): bigint;
  /** Told of the bytes of each chunk and manifest that went up. */
  onSent(bytes: number): void;
  /** All chunks are there: from now on it is carried to its end. */
  onComplete(): void;
}

/** Undefined: the base is the same already. @throws CutSpoiled; whatever the storage says. */
export async function sendCut(cut: Cut, settings: SendSettings): Promise<WrittenManifest | undefined> {
  const { series, context, store, keep } = settings;
  return await series.turn.run(context.signal, async () => {
    const write = (generation: number) =>
      writeManifest(cut, {
        jobId: context.lease.jobId,
        prefix: series.prefix,
        name: { attempt: context.lease.attempt, generation },
        base: series.base,
        cut: cut.taken,
        quiet: cut.quiet,
        storedIn: (sha256) => series.storedIn(sha256),
        mtimeOf: settings.mtimeOf,
      });
    let refused: WrongBase | undefined;
    for (let commits = 1; commits <= commitsMax; commits += 1) {
      const generation = series.openGeneration();
      // Before the first byte: what is too large is known now, and so is what is there already.
      if ((await write(generation)).digest === series.baseDigest) return undefined;
      await sendChunks(cut, generation, settings);
      settings.onComplete();
      const manifest = await write(generation);
      const named = await nameBytes(manifest.text);
      await store.putManifest(generation, named);
      settings.onSent(manifest.text.byteLength);
      const request = {
        prefix: series.prefix,
        base: series.base,
        generation,
        manifest: { sha256: named.sha256, size: manifest.text.byteLength },
        keep,
      };
      const answer = await committed(store, request, context.lease.attempt);
      if (answer instanceof WrongBase) {
        refused = answer;
        series.overtaken(generation);
        await buildOnHead(series, answer.head, store);
        continue;
      }
      if (answer.committed) {
        series.committed(manifest.head, manifest.digest);
        return manifest;
      }
      for (const sha256 of answer.missing) series.isMissing(sha256);
    }
    if (refused) throw new TransferError("storage", `the generation was refused: ${refused.why}`);
    throw new TransferError("storage", "the storage does not keep the chunks that it has acknowledged");
  });
}

type Commit = Parameters<SnapshotStore["commit"]>[0];

/** The commit was refused under a lease that holds: the head is this one. */
class WrongBase {
  readonly head: Head["head"];
  readonly why: string;
  constructor(head: Head["head"], why: string) {
    this.head = head;
    this.why = why;
  }
}

/** A refusal about the head may come from a commit of our own that was applied late: this very one, or one before it. */
async function committed(store: SnapshotStore, request: Commit, attempt: number) {
  try {
    return await store.commit(request);
  } catch (failure) {
    if (!(failure instanceof StorageError) || failure.status !== 409) throw failure;
    const { head } = await store.head(request.prefix);
    const isOurs =
      head?.attempt === attempt &&
      head.generation === request.generation &&
      head.manifest.sha256 === request.manifest.sha256;
    if (isOurs) return { committed: true as const };
    return new WrongBase(head, failure.message);
  }
}

/** What the head names need not be sent again, if its manifest can be read; else nothing of it is used. */
async function buildOnHead(series: Series, head: Head["head"], store: SnapshotStore): Promise<void> {
  const text = head && (await store.getManifest(head));
  if (head && text && (await sha256Of(text)) === head.manifest.sha256) {
    const end = text.indexOf(0x0a);
    const parsed = ManifestHead.safeParse(jsonOf(text.toString("utf8", 0, end)));
    if (parsed.success && sameGeneration(parsed.data, head)) {
      return series.buildOn(parsed.data, digestOf(parsed.data.chunks, text.subarray(end + 1)));
    }
  }
  series.buildOnName(head);
}

function sameGeneration(one: GenerationName, other: GenerationName): boolean {
  return one.attempt === other.attempt && one.generation === other.generation;
}

/** Undefined: no JSON, which no schema accepts. */
function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function sendChunks(cut: Cut, generation: number, settings: SendSettings): Promise<void> {
  const { series, context } = settings;
  const missing = missingChunks(cut, series);
  const failed = new AbortController();
  const signal = AbortSignal.any([context.signal, failed.signal]);
  await forEachBounded(
    missing,
    chunksAtOnce,
    async ({ chunk, segments }) => {
      throwIfEnded(context);
      signal.throwIfAborted();
      await sendChunk(chunk, segments, generation, settings);
    },
    (reason) => failed.abort(reason),
  );
}

interface Missing {
  chunk: Chunk;
  segments: Segment[];
}

function missingChunks({ contents, sources }: Cut, series: Series): Missing[] {
  const missing = new Map<string, Missing>();
  for (const [path, { pieces }] of contents) {
    for (const { chunk } of pieces) {
      if (missing.has(chunk.sha256) || series.isStored(chunk.sha256)) continue;
      const segments = sources.get(chunk.sha256);
      // It was stored when the cut was taken, and is not any more.
      if (!segments) throw new CutSpoiled(path);
      missing.set(chunk.sha256, { chunk, segments });
    }
  }
  return [...missing.values()];
}

async function sendChunk(
  chunk: Chunk,
  segments: Segment[],
  generation: number,
  { store, series, onSent }: SendSettings,
): Promise<void> {
  const named = await nameBytes(await bytesOf(segments));
  if (named.sha256 !== chunk.sha256) throw new CutSpoiled(segments.find(({ file }) => file)?.file);
  await store.putChunk(generation, named);
  series.sent(chunk.sha256);
  onSent(chunk.bytes);
}

async function bytesOf(segments: Segment[]): Promise<Buffer> {
  try {
    return await readSegments(segments);
  } catch (failure) {
    const gone = failure instanceof LocalFailure && failure.missing;
    if (failure instanceof FileDisturbed || gone)
      throw new CutSpoiled(segments.find(({ file }) => file)?.file);
    throw failure;
  }
}
