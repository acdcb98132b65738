/**
 * A machine could not read an object of the head (docs/storage.md, "Resume"). Falling back to an older generation loses work, so it
 * takes more than one machine's word, and a machine may lie, under two names too: the API looks for itself. What it misses, or
 * reads with another hash, has fallen. A chunk that it reads well is well, whoever says what. A manifest has the right hash also
 * when it is nonsense, which only a resume finds out: there a second machine has to say so.
 */
import type { ChunkName, DoubtRequest } from "../../contract/index.ts";
import { type DoubtWrite, damageSeen, doubtManifest } from "../../db/checkpoints/doubt.ts";
import { type KeptRecord, readSeries } from "../../db/checkpoints/series.ts";
import { type AttemptPlace, type BucketKey, chunkKey, manifestKey, snapshotsOfJob } from "../keys.ts";
import type { StoragePorts } from "../ports.ts";
import { placeOf, readManifestHead } from "./manifest-head.ts";
import { headOf, sameName } from "./series.ts";

export type DoubtOutcome =
  /** Whether the head is another one now. */
  | { kind: "judged"; moved: boolean }
  /** The head does not name that chunk. */
  | { kind: "unnamed" }
  | { kind: "unknown" };

export type Doubt = Pick<DoubtRequest, "prefix" | "head" | "chunk" | "problem"> & { machineId: string };

/** Never rejects. */
export async function doubtHead(
  ports: StoragePorts,
  place: AttemptPlace,
  doubt: Doubt,
): Promise<DoubtOutcome> {
  try {
    return await tryDoubt(ports, place, doubt);
  } catch (error) {
    const { jobId, attempt } = place;
    ports.log({ severity: "warning", event: "doubt_unknown", jobId, attempt, detail: String(error) });
    return { kind: "unknown" };
  }
}

async function tryDoubt(ports: StoragePorts, place: AttemptPlace, doubt: Doubt): Promise<DoubtOutcome> {
  const [records] = await ports.d1.batch([readSeries(place.jobId, doubt.prefix)]);
  const series = (records ?? []) as unknown as KeptRecord[];
  const head = headOf(series);
  // It has fallen already, or was committed over: a repeat, or a doubt that comes late.
  if (!head || !sameName(head, doubt.head)) return { kind: "judged", moved: true };

  const key = doubtedKey(place, head, doubt.chunk);
  const object = key.slice(snapshotsOfJob(place.userId, place.jobId).length);
  const namedBy = doubt.chunk ? await namers(ports, place, series, head, object) : [head.seq];
  if (namedBy === null) return { kind: "unnamed" };
  // The manifest cannot be read any more: whoever resumes next will doubt that.
  if (namedBy.length === 0) return { kind: "judged", moved: false };
  const sha256 = doubt.chunk?.sha256 ?? head.manifest_sha256;
  const isSeen = await isDamaged(ports, key, sha256, doubt.problem);
  if (!isSeen && (doubt.chunk || doubt.problem === "missing")) return { kind: "judged", moved: false };

  const write: DoubtWrite = {
    jobId: place.jobId,
    prefix: doubt.prefix,
    attempt: place.attempt,
    headSeq: head.seq,
    machineId: doubt.machineId,
    object,
    nowMs: ports.nowMs(),
    namedBy,
  };
  const statements = isSeen ? damageSeen(write) : doubtManifest(write);
  const results = await ports.d1.batch([...statements, readSeries(place.jobId, doubt.prefix)]);
  const now = headOf((results.at(-1) ?? []) as unknown as KeptRecord[]);
  const moved = !sameName(now, doubt.head);
  if (moved) {
    ports.log({
      severity: "error",
      event: "generation_damaged",
      jobId: place.jobId,
      attempt: head.attempt,
      detail: `${doubt.problem}: ${object}; ${namedBy.length} generations of ${doubt.prefix}`,
    });
  }
  return { kind: "judged", moved };
}

/** What the API sees of it now. Whether it is there is cheap to ask, what its bytes are costs reading all of them. */
async function isDamaged(
  { bucket }: StoragePorts,
  key: BucketKey,
  sha256: string,
  problem: Doubt["problem"],
): Promise<boolean> {
  if (problem === "missing") return (await bucket.size(key)) === null;
  return (await bucket.sha256(key)) !== sha256;
}

function doubtedKey(place: AttemptPlace, head: KeptRecord, chunk: Doubt["chunk"]): BucketKey {
  const { attempt, generation } = chunk ?? head;
  const of = { ...place, attempt };
  return chunk ? chunkKey(of, generation, chunk.sha256) : manifestKey(of, generation, head.manifest_sha256);
}

/**
 * The generations of the series that name the chunk and are not damaged yet; null: the head does not; none: the head's manifest
 * cannot be read. An older one whose manifest cannot be read stays out: whoever resumes from it will doubt that.
 */
async function namers(
  ports: StoragePorts,
  place: AttemptPlace,
  series: KeptRecord[],
  head: KeptRecord,
  object: string,
): Promise<number[] | null> {
  const named: number[] = [];
  for (const { seq, attempt, generation, manifest_sha256, damaged } of series) {
    if (damaged !== null) continue;
    const key = manifestKey({ ...place, attempt }, generation, manifest_sha256);
    const manifest = await readManifestHead(ports.bucket, key);
    if (manifest.kind !== "read") {
      if (seq === head.seq) return [];
      continue;
    }
    if (manifest.head.chunks.some((chunk: ChunkName) => placeOf(chunk) === object)) named.push(seq);
    else if (seq === head.seq) return null;
  }
  return named;
}
