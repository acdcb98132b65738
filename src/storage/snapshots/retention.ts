/**
 * Deletes what retired generations of one series named and no kept one names.
 *
 * Owns: which keys those are. Relies on: the mark. The generations are marked retired in D1 before anything of them is read here
 * (db/checkpoints/commit.ts), and the kept ones are read after that. Why no later commit names a key that is deleted here: its
 * base is a generation that was kept when these were read, or one that was committed since. Either way, back along the bases,
 * everything that it reuses was named by a generation that was kept then, and its own place is not a retired generation's.
 *
 * Each retired generation is looked at once. A chunk is deleted when the last generation that names it retires, whoever had sent
 * it; so a chunk that lives on, in thousands of generations of a file that grows, costs nothing until then.
 *
 * Damaged generations that have not retired are among the kept: what they name stays until they retire. A doubt may have been
 * wrong, and as long as nothing is deleted a person can undo it. Only one whose manifest is gone protects nothing: nobody can
 * ever resume from it.
 */
import type { RetiredRecord } from "../../db/checkpoints/retired.ts";
import { markPurged } from "../../db/checkpoints/retired.ts";
import { type KeptRecord, readSeries } from "../../db/checkpoints/series.ts";
import { deleteAll, pagesOf } from "../bucket-port.ts";
import { type AttemptPlace, generationRoot, manifestKey, snapshotsOfJob } from "../keys.ts";
import type { StoragePorts } from "../ports.ts";
import { placeOf, readManifestHead } from "./manifest-head.ts";
import { subtractNamed } from "./named.ts";
import { generationPages } from "./series.ts";

/** Names held at once, about 200 bytes each; a generation more may be over. */
const mostCandidates = 100_000;

export interface Purge {
  generations: number;
  objects: number;
  /** A kept manifest cannot be read: what it names is not known, so nothing was deleted. */
  stuck: boolean;
}

/** `retired`: some of one series, the longest retired first. Those that are too many for one bite wait for the next pass. */
export async function purgeRetired(ports: StoragePorts, retired: RetiredRecord[]): Promise<Purge> {
  const [first] = retired;
  if (!first) return { generations: 0, objects: 0, stuck: false };
  const root = snapshotsOfJob(first.user_id, first.job_id);
  const candidates = new Set<string>();
  const taken: RetiredRecord[] = [];
  for (const record of retired) {
    if (candidates.size >= mostCandidates) break;
    await addOwn(ports, root, record, candidates);
    await addNamed(ports, record, candidates);
    taken.push(record);
  }

  const [kept] = await ports.d1.batch([readSeries(first.job_id, first.prefix)]);
  const known = await subtractNamed(
    ports,
    { userId: first.user_id, jobId: first.job_id },
    (kept ?? []) as unknown as KeptRecord[],
    candidates,
  );
  if (!known) return { generations: 0, objects: 0, stuck: true };

  // Their manifests last: who comes again after a crash still learns what they named.
  const manifests = taken.map((record) => manifestOf(record).slice(root.length));
  for (const manifest of manifests) candidates.delete(manifest);
  const keys = [...candidates].map((place) => root + place);
  await deleteAll(ports.bucket, keys);
  await deleteAll(ports.bucket, taken.map(manifestOf));
  await ports.d1.batch([
    markPurged(
      taken.map(({ seq }) => seq),
      ports.nowMs(),
    ),
  ]);
  return { generations: taken.length, objects: keys.length + taken.length, stuck: false };
}

const placeOfAttempt = (record: RetiredRecord): AttemptPlace => ({
  userId: record.user_id,
  jobId: record.job_id,
  attempt: record.attempt,
});

const manifestOf = (record: RetiredRecord): string =>
  manifestKey(placeOfAttempt(record), record.generation, record.manifest_sha256);

/** All that is in the generation's place, also what cuts that were dropped had sent. */
async function addOwn(
  ports: StoragePorts,
  root: string,
  record: RetiredRecord,
  candidates: Set<string>,
): Promise<void> {
  const place = generationRoot(placeOfAttempt(record), record.generation);
  for await (const { objects } of pagesOf(ports.bucket, place, generationPages)) {
    for (const { key } of objects) candidates.add(key.slice(root.length));
  }
}

async function addNamed(ports: StoragePorts, record: RetiredRecord, candidates: Set<string>): Promise<void> {
  const manifest = await readManifestHead(ports.bucket, manifestOf(record));
  if (manifest.kind === "read") {
    for (const chunk of manifest.head.chunks) candidates.add(placeOf(chunk));
  } else if (manifest.kind === "malformed") {
    const { job_id: jobId, attempt } = record;
    const detail = `${manifestOf(record)}: ${manifest.problem}`;
    ports.log({ severity: "error", event: "manifest_unreadable", jobId, attempt, detail });
  }
  // Missing: an earlier pass got so far and no further.
}
