/**
 * A generation becomes visible, whole, or it does not (docs/storage.md, "Commit").
 *
 * Owns: what a generation may name, and that everything it names is there. Leaves to D1 alone: whether it becomes visible
 * (db/checkpoints/commit.ts). The caller has renewed the lease before; that spares work and proves nothing, since the lease may
 * lapse while this reads the bucket.
 *
 * Why a generation never names what is deleted. A key that is named is either of this generation's own place, whose commit is
 * yet to come, so nobody deletes there while its attempt runs; or the base named it. The base is the head when the insert is
 * applied, in the same transaction. The head is not retired before a newer one is there: `keep` is at least 1, and only a
 * commit retires. So up to that moment everything that the base names was named by a generation that is not retired, and what
 * such a one names is not deleted (retention.ts). It holds with `keep` 1 and any number of commits between.
 */
import { type ChunkName, type CommitRequest, snapshotDefaults } from "../../contract/index.ts";
import {
  type CommitWrite,
  commitGeneration as commitStatements,
  type NamedRecord,
  readNamed,
} from "../../db/checkpoints/commit.ts";
import { type KeptRecord, readSeries } from "../../db/checkpoints/series.ts";
import { pagesOf } from "../bucket-port.ts";
import { type AttemptPlace, generationRoot, manifestKey } from "../keys.ts";
import type { StoragePorts } from "../ports.ts";
import { placeOf as placeOfChunk, readManifestHead } from "./manifest-head.ts";
import { generationPages, headOf, sameName } from "./series.ts";

export type CommitOutcome =
  /** `repeat`: this very generation was there before; nothing changed. */
  | { kind: "committed"; repeat: boolean }
  /** Not in the storage in the size that the manifest says, or not known from the base: to be sent in this generation. */
  | { kind: "missing"; chunks: string[] }
  /** The attempt is no longer the current one. */
  | { kind: "superseded" }
  /** The head is another one, or the number is taken by another manifest. */
  | { kind: "wrong_base" }
  /** The manifest is not one of this generation. */
  | { kind: "invalid"; problem: string }
  /** It may have been applied, now or later: the same commit is to be asked for again. */
  | { kind: "unknown" };

export type Commit = Pick<CommitRequest, "prefix" | "base" | "generation" | "manifest" | "keep">;

/** So many are told; whoever lacks more sends those first and hears of the rest. */
const mostMissing = 100;

/** Never rejects. */
export async function commitGeneration(
  ports: StoragePorts,
  place: AttemptPlace,
  commit: Commit,
): Promise<CommitOutcome> {
  try {
    return await tryCommit(ports, place, commit);
  } catch (error) {
    const { jobId, attempt } = place;
    ports.log({ severity: "warning", event: "commit_unknown", jobId, attempt, detail: String(error) });
    return { kind: "unknown" };
  }
}

async function tryCommit(ports: StoragePorts, place: AttemptPlace, commit: Commit): Promise<CommitOutcome> {
  const [named, series] = await ports.d1.batch([
    readNamed(place.jobId, place.attempt, commit.generation),
    readSeries(place.jobId, commit.prefix),
  ]);
  const known = named?.[0] as NamedRecord | undefined;
  if (known) return judgeNamed(known, commit);
  const head = headOf((series ?? []) as unknown as KeptRecord[]);
  // Cheap to say now; what counts is the fence.
  if (!sameName(head, commit.base)) return { kind: "wrong_base" };

  const manifest = await readManifestHead(
    ports.bucket,
    manifestKey(place, commit.generation, commit.manifest.sha256),
  );
  if (manifest.kind === "malformed") return { kind: "invalid", problem: manifest.problem };
  if (manifest.kind === "missing" || manifest.size !== commit.manifest.size) {
    return { kind: "missing", chunks: [commit.manifest.sha256] };
  }
  const { chunks, ...facts } = manifest.head;
  const problem =
    whatIsWrongWith(facts, place, commit) ??
    (new Set(chunks.map(placeOfChunk)).size < chunks.length ? "chunks: one is named twice" : null);
  if (problem !== null) return { kind: "invalid", problem };

  const isOwn = ([attempt, generation]: ChunkName) =>
    attempt === place.attempt && generation === commit.generation;
  const own = chunks.filter(isOwn);
  const missing = [
    ...(await absent(ports, place, commit.generation, own)),
    ...(await unknownToBase(
      ports,
      place,
      head,
      chunks.filter((chunk) => !isOwn(chunk)),
    )),
  ];
  if (missing.length > 0) return { kind: "missing", chunks: missing.slice(0, mostMissing) };

  return write(ports, commit, {
    opId: ports.operationId(),
    jobId: place.jobId,
    prefix: commit.prefix,
    attempt: place.attempt,
    generation: commit.generation,
    baseSeq: head?.seq ?? null,
    manifestSha256: commit.manifest.sha256,
    manifestBytes: commit.manifest.size,
    nowMs: ports.nowMs(),
    files: facts.files,
    bytesNew: own.reduce((sum, [, , , bytes]) => sum + bytes, 0),
    bytesTotal: facts.bytes,
    quiet: facts.quiet,
    keep: commit.keep ?? snapshotDefaults.keep,
  });
}

async function write(ports: StoragePorts, commit: Commit, write: CommitWrite): Promise<CommitOutcome> {
  let failed: string | undefined;
  try {
    const [inserted] = await ports.d1.batch(commitStatements(write));
    if (inserted && inserted.length > 0) return { kind: "committed", repeat: false };
  } catch (error) {
    failed = String(error);
  }
  // Nothing was hit, or nobody knows. Whatever stands under this name says what became of it.
  const [named, series] = await ports.d1.batch([
    readNamed(write.jobId, write.attempt, write.generation),
    readSeries(write.jobId, write.prefix),
  ]);
  const known = named?.[0] as NamedRecord | undefined;
  if (known) return judgeNamed(known, commit);
  if (failed === undefined) {
    // Which half of the fence it was. Another head may be a successor's; whoever asks for it then learns that too.
    const head = headOf((series ?? []) as unknown as KeptRecord[]);
    return { kind: sameName(head, commit.base) ? "superseded" : "wrong_base" };
  }
  // After an error it may still be on its way. Its fence holds whenever it lands; and so long nobody may tell the agent "no".
  throw new Error(`${failed}; read back: not there`);
}

/** The name is taken: by this very generation, or by another under the same number. */
function judgeNamed(known: NamedRecord, { prefix, manifest }: Commit): CommitOutcome {
  const same = known.prefix === prefix && known.manifest_sha256 === manifest.sha256;
  return same ? { kind: "committed", repeat: true } : { kind: "wrong_base" };
}

function whatIsWrongWith(
  facts: {
    job_id: string;
    prefix: string;
    attempt: number;
    generation: number;
    base: Commit["base"];
  },
  place: AttemptPlace,
  commit: Commit,
): string | null {
  if (facts.job_id !== place.jobId) return "job_id: is another job's";
  if (facts.prefix !== commit.prefix) return "prefix: is another than the request's";
  if (facts.attempt !== place.attempt) return "attempt: is another than the lease's";
  if (facts.generation !== commit.generation) return "generation: is another than the request's";
  if (!sameName(facts.base, commit.base)) return "base: is another than the request's";
  return null;
}

/** Which of these, of the generation's own place, the bucket does not have in their size. */
async function absent(
  ports: StoragePorts,
  place: AttemptPlace,
  generation: number,
  own: ChunkName[],
): Promise<string[]> {
  const left = new Map(own.map(([, , sha256, bytes]) => [sha256, bytes]));
  if (left.size === 0) return [];
  const root = generationRoot(place, generation);
  for await (const { objects } of pagesOf(ports.bucket, root, generationPages)) {
    for (const { key, size } of objects) {
      const sha256 = key.slice(root.length);
      if (left.get(sha256) === size) left.delete(sha256);
    }
    if (left.size === 0) break;
  }
  return [...left.keys()];
}

/** Which of these, of other generations' places, the base does not name. What it names is there (see above). */
async function unknownToBase(
  ports: StoragePorts,
  place: AttemptPlace,
  base: KeptRecord | null,
  reused: ChunkName[],
): Promise<string[]> {
  if (reused.length === 0) return [];
  if (base === null) return reused.map(([, , sha256]) => sha256);
  const key = manifestKey({ ...place, attempt: base.attempt }, base.generation, base.manifest_sha256);
  const manifest = await readManifestHead(ports.bucket, key);
  if (manifest.kind !== "read") {
    // Lost. The attempt that runs has the bytes: it sends them again, and its generation stands without the base's.
    const { jobId, attempt } = place;
    ports.log({ severity: "error", event: "manifest_unreadable", jobId, attempt, detail: key });
    return reused.map(([, , sha256]) => sha256);
  }
  const bytesOf = new Map(manifest.head.chunks.map((chunk) => [placeOfChunk(chunk), chunk[3]]));
  return reused
    .filter((chunk) => bytesOf.get(placeOfChunk(chunk)) !== chunk[3])
    .map(([, , sha256]) => sha256);
}
