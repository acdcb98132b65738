/**
 * What a dead attempt left below `snapshots/USER/JOB/ATTEMPT/`: generations that were never committed, and objects that landed
 * in a generation's place after it had been purged.
 *
 * A generation without a row never gets one: commits are fenced by the attempt, which has ended, and numbers of attempts rise.
 * So nothing names its keys, or ever will. The grace before (cron/storage/leftovers.ts) is not for commits but for uploads: a
 * URL may be used until shortly after the lease, and what landed after this pass would stay for good.
 */
import { type KeptRecord, readKeptOfJob } from "../../db/checkpoints/series.ts";
import { type CommittedRecord, readCommittedOf } from "../../db/storage/unswept.ts";
import { deleteAll, pagesOf } from "../bucket-port.ts";
import { type AttemptPlace, snapshotsOfAttempt, snapshotsOfJob } from "../keys.ts";
import type { StoragePorts } from "../ports.ts";
import { subtractNamed } from "./named.ts";

/** Half a million objects of one attempt; more are reported, and stay. */
const maxPages = 500;
/** Names held at once; more strays than that stay until the job goes. */
const mostStrays = 100_000;

export interface LeftoversSwept {
  objects: number;
  /** There are more than one pass looks at. */
  truncated: boolean;
}

export async function sweepLeftovers(ports: StoragePorts, place: AttemptPlace): Promise<LeftoversSwept> {
  const [committed] = await ports.d1.batch([readCommittedOf(place.jobId, place.attempt)]);
  const rows = new Map(
    ((committed ?? []) as unknown as CommittedRecord[]).map(({ generation, purged }) => [generation, purged]),
  );
  const attemptRoot = snapshotsOfAttempt(place);
  const jobRoot = snapshotsOfJob(place.userId, place.jobId);
  /** Of purged generations: chunks that younger ones name are among them. */
  const strays = new Set<string>();
  let objects = 0;
  let truncated = false;
  for await (const listed of pagesOf(ports.bucket, attemptRoot, maxPages)) {
    const uncommitted: string[] = [];
    for (const { key } of listed.objects) {
      const generation = Number.parseInt(key.slice(attemptRoot.length), 10);
      const purged = rows.get(generation);
      if (purged === undefined) uncommitted.push(key);
      else if (purged !== null && strays.size < mostStrays) strays.add(key.slice(jobRoot.length));
    }
    await deleteAll(ports.bucket, uncommitted);
    objects += uncommitted.length;
    truncated = listed.cursor !== null;
  }
  objects += await deleteStrays(ports, place, jobRoot, strays);
  return { objects, truncated };
}

async function deleteStrays(
  ports: StoragePorts,
  place: AttemptPlace,
  jobRoot: string,
  strays: Set<string>,
): Promise<number> {
  if (strays.size === 0) return 0;
  const [kept] = await ports.d1.batch([readKeptOfJob(place.jobId)]);
  const known = await subtractNamed(ports, place, (kept ?? []) as unknown as KeptRecord[], strays);
  if (!known) return 0;
  await deleteAll(
    ports.bucket,
    [...strays].map((stray) => jobRoot + stray),
  );
  return strays.size;
}
