/**
 * What may become of generations and of the bucket (docs/storage.md). The judge keeps its own book: generations as D1's triggers
 * tell of them, what they name as their manifests say, objects as the bucket tells of them.
 */
import { ManifestHead } from "../../../src/contract/manifest.ts";
import type { Head } from "../../../src/contract/snapshot.ts";
import { minute } from "../scenario.ts";
import type { BucketWatcher, SimulatedBucket, StoredObject } from "../world/bucket.ts";
import { placeOfJob } from "../world/bucket.ts";
import type { Database } from "../world/database.ts";
import type { Book } from "./book.ts";
import type { Verdict } from "./verdict.ts";

interface Generation {
  seq: number;
  jobId: string;
  attempt: number;
  generation: number;
  manifestKey: string;
  /** Keys of its chunks, and of its manifest. */
  names: Set<string>;
  retired: boolean;
  damaged: boolean;
  purged: boolean;
}

/** From a purge's deletions to its mark; an upload may land again between them. */
const slowestPurgeMs = 5 * minute;

interface Series {
  generations: Generation[];
  /** Which was the head since when; the newest last. */
  heads: { sinceMs: number; head: Generation | null }[];
}

export class StorageRules implements BucketWatcher {
  readonly #book: Book;
  readonly #verdict: Verdict;
  readonly #nowMs: () => number;
  readonly #userId: string;
  readonly #series = new Map<string, Series>();
  /** Lost or changed by nobody's doing. */
  readonly #rotten = new Set<string>();
  /** Of this transaction: jobs that got a generation, and generations that were retired. */
  readonly #committed = new Set<string>();
  readonly #retired: Generation[] = [];
  #bucket: SimulatedBucket | undefined;
  commits = 0;

  constructor(book: Book, verdict: Verdict, nowMs: () => number, userId: string) {
    this.#book = book;
    this.#verdict = verdict;
    this.#nowMs = nowMs;
    this.#userId = userId;
  }

  watch(database: Database, bucket: SimulatedBucket): void {
    this.#bucket = bucket;
    database.watch(
      "generation_added",
      "INSERT ON checkpoints",
      ["NEW.seq", "NEW.job_id", "NEW.attempt", "NEW.generation", "NEW.base_seq", "NEW.manifest_sha256"],
      (seq, jobId, attempt, generation, baseSeq, sha256) =>
        this.#added(
          {
            seq: seq as number,
            jobId: jobId as string,
            attempt: attempt as number,
            generation: generation as number,
          },
          baseSeq as number | null,
          sha256 as string,
        ),
    );
    database.watch(
      "generation_moved",
      "UPDATE OF retired, damaged ON checkpoints",
      ["NEW.seq", "NEW.job_id", "NEW.retired", "NEW.damaged"],
      (seq, jobId, retired, damaged) =>
        this.#moved(seq as number, jobId as string, retired !== null, damaged !== null),
    );
    database.watch(
      "generation_purged",
      "UPDATE OF purged ON checkpoints",
      ["NEW.seq", "NEW.job_id"],
      (seq, jobId) => this.#purged(seq as number, jobId as string),
    );
    database.watch("generation_removed", "DELETE ON checkpoints", ["OLD.job_id"], (jobId) => {
      this.#series.delete(jobId as string);
    });
  }

  // D1

  #added(
    name: { seq: number; jobId: string; attempt: number; generation: number },
    baseSeq: number | null,
    sha256: string,
  ): void {
    const { jobId, attempt, generation } = name;
    this.commits++;
    this.#verdict.note(jobId, `generation ${attempt}/${generation} is committed`);
    const job = this.#book.jobs.get(jobId);
    this.#verdict.require(
      "only the current attempt commits",
      jobId,
      job !== undefined && !job.gone && job.status === "running" && job.attempt === attempt,
      () => `attempt ${attempt} committed ${generation}; the job is ${job?.status}/${job?.attempt}`,
    );
    const series = this.#seriesOf(jobId);
    const head = series.heads.at(-1)?.head ?? null;
    this.#verdict.require(
      "a generation builds on the head",
      jobId,
      (head?.seq ?? null) === baseSeq,
      () =>
        `${attempt}/${generation} builds on ${baseSeq}; the head is ${head?.seq} (${head && nameOf(head)})`,
    );
    const root = `snapshots/${this.#userId}/${jobId}/`;
    const manifestKey = `${root}${attempt}/${generation}/manifest-${sha256}`;
    const names = new Set([manifestKey]);
    const manifest = this.#bucket?.get(manifestKey);
    // Its first line tells, even if bad memory has changed the rest.
    if (manifest) {
      const { chunks } = ManifestHead.parse(JSON.parse(manifest.text.split("\n")[0] ?? ""));
      for (const [of, number, chunk] of chunks) names.add(`${root}${of}/${number}/${chunk}`);
    }
    this.#isWhole(jobId, `${attempt}/${generation}`, names);
    const added: Generation = { ...name, manifestKey, names, retired: false, damaged: false, purged: false };
    series.generations.push(added);
    series.heads.push({ sinceMs: this.#nowMs(), head: added });
    this.#committed.add(jobId);
  }

  #isWhole(jobId: string, name: string, names: Set<string>): void {
    const absent = [...names].filter((key) => !this.#bucket?.get(key) && !this.#rotten.has(key));
    this.#verdict.require(
      "a committed generation is whole",
      jobId,
      absent.length === 0,
      () => `${name} names ${absent[0]}, which is not there`,
    );
  }

  #moved(seq: number, jobId: string, retired: boolean, damaged: boolean): void {
    const series = this.#seriesOf(jobId);
    const generation = series.generations.find((one) => one.seq === seq);
    if (!generation) throw new Error(`generation ${seq} of ${jobId} was never added`);
    if (retired && !generation.retired) {
      this.#verdict.note(jobId, `generation ${nameOf(generation)} is retired`);
      generation.retired = true;
      this.#retired.push(generation);
    }
    if (!damaged || generation.damaged) return;
    this.#verdict.note(jobId, `generation ${nameOf(generation)} is damaged`);
    generation.damaged = true;
    const intact = [...generation.names].every((key) => this.#bucket?.get(key)?.sound);
    this.#verdict.require(
      "what is intact is not given up",
      jobId,
      !intact,
      () => `${nameOf(generation)} is called damaged, and every byte of it is there`,
    );
    series.heads.push({ sinceMs: this.#nowMs(), head: newestIntact(series) });
  }

  #purged(seq: number, jobId: string): void {
    const { generations } = this.#seriesOf(jobId);
    const generation = generations.find((one) => one.seq === seq);
    if (!generation) return;
    generation.purged = true;
    const settledMs = this.#nowMs() - slowestPurgeMs;
    const left = [...generation.names].find(
      (key) =>
        (this.#bucket?.get(key)?.storedMs ?? Number.POSITIVE_INFINITY) < settledMs &&
        // Whoever else names it has it still to be looked at, or is kept.
        !generations.some((other) => !other.purged && other.names.has(key)),
    );
    this.#verdict.require(
      "what is purged is gone",
      jobId,
      left === undefined || this.#isHopeless(generation) || this.#rotten.has(generation.manifestKey),
      () => `${nameOf(generation)} is purged; ${left} is there, and nobody names it`,
    );
  }

  /** Once a transaction is through. */
  transactionEnded(): void {
    for (const generation of this.#retired) {
      const { jobId, seq } = generation;
      this.#verdict.require(
        "only a commit retires",
        jobId,
        this.#committed.has(jobId),
        () => `${nameOf(generation)} was retired although none was committed`,
      );
      const head = newestIntact(this.#seriesOf(jobId));
      this.#verdict.require(
        "the head is kept",
        jobId,
        head !== null && head.seq > seq,
        () => `${nameOf(generation)} is retired, and no newer one is intact`,
      );
    }
    this.#retired.length = 0;
    this.#committed.clear();
  }

  // The bucket

  stored(key: string, object: StoredObject, before: StoredObject | undefined): void {
    this.#verdict.require(
      "no object is overwritten",
      jobOf(key),
      before === undefined || before.text === object.text,
      () => `${key} has other bytes now`,
    );
    if (object.sound) this.#rotten.delete(key);
  }

  rotted(key: string): void {
    this.#verdict.note(jobOf(key), `rot: ${key}`);
    this.#rotten.add(key);
  }

  deleted(key: string): void {
    const jobId = jobOf(key);
    this.#verdict.note(jobId, `deleted: ${key}`);
    const job = this.#book.jobs.get(jobId);
    if (!job || job.gone) return;
    const { generations } = this.#seriesOf(jobId);
    const namer = generations.find(
      (generation) => !generation.retired && generation.names.has(key) && !this.#isHopeless(generation),
    );
    this.#verdict.require(
      "what a kept generation names stays",
      jobId,
      namer === undefined,
      () => `${key} is deleted, which ${namer && nameOf(namer)} names`,
    );
    const [attempt, number] = key.split("/").slice(3, 5).map(Number);
    const committed = generations.some((one) => one.attempt === attempt && one.generation === number);
    this.#verdict.require(
      "nothing of a running attempt's open generation is deleted",
      jobId,
      committed || job.status !== "running" || job.attempt !== attempt,
      () => `${key} is deleted while its attempt runs`,
    );
  }

  /** Damaged, and its manifest lost or rotten: nobody will ever know what it named. */
  #isHopeless({ damaged, manifestKey }: Generation): boolean {
    return damaged && this.#rotten.has(manifestKey);
  }

  // Answers

  headSeq(jobId: string): number | null {
    return this.#series.get(jobId)?.heads.at(-1)?.head?.seq ?? null;
  }

  /** The API has refused this commit, for good. */
  commitRefused(jobId: string, manifestKey: string): void {
    const committed = this.#series.get(jobId)?.generations.some((one) => one.manifestKey === manifestKey);
    this.#verdict.require(
      "a commit that was applied is a success",
      jobId,
      !committed,
      () => `${manifestKey} is committed, and its repeat was refused`,
    );
  }

  /** What the API called the head, to a holder that asked at `askedMs`. */
  headTold(jobId: string, askedMs: number, told: Head): void {
    const series = this.#series.get(jobId) ?? { generations: [], heads: [] };
    // What was the head at any moment since then.
    const possible = series.heads.filter(
      (_, i) => (series.heads[i + 1]?.sinceMs ?? Number.POSITIVE_INFINITY) >= askedMs,
    );
    const first = series.heads[0];
    const none = told.head === null && (!first || first.sinceMs >= askedMs);
    const { head } = told;
    const match = possible.some(({ head: one }) =>
      one === null || head === null
        ? one === head && told.lost
        : one.attempt === head.attempt && one.generation === head.generation,
    );
    const job = this.#book.jobs.get(jobId);
    this.#verdict.require(
      "a resume begins with the newest generation",
      jobId,
      none || match || job?.gone !== false,
      () =>
        `told ${head ? `${head.attempt}/${head.generation}` : `none, lost: ${told.lost}`}; the head is ${JSON.stringify(possible.map(({ head: one }) => one && nameOf(one)))}`,
    );
  }

  /** Long after the last fault: nothing is in the bucket that no kept generation accounts for, and all that they name is. */
  nothingIsLeft(): void {
    const kept = [...this.#series.values()]
      .flatMap(({ generations }) => generations)
      .filter(({ retired }) => !retired);
    const accounted = new Set(kept.flatMap(({ names }) => [...names]));
    const places = new Set(kept.map(({ jobId, attempt, generation }) => `${jobId}/${attempt}/${generation}`));
    // A kept manifest that rotted and that nobody has doubted since holds up its series.
    const stuck = new Set([...this.#rotten].filter((key) => key.includes("/manifest-")).map(placeOfJob));
    const left = (this.#bucket?.keys() ?? []).filter((key) => {
      const [, , jobId, attempt, number] = key.split("/");
      return (
        !accounted.has(key) && !places.has(`${jobId}/${attempt}/${number}`) && !stuck.has(placeOfJob(key))
      );
    });
    this.#verdict.require(
      "leftovers vanish",
      left[0] ? jobOf(left[0]) : null,
      left.length === 0,
      () => `${left.length} objects that nobody names, ${left[0]} among them`,
    );
    for (const generation of kept) {
      if (this.#book.jobs.get(generation.jobId)?.gone) continue;
      if (this.#isHopeless(generation)) continue;
      this.#isWhole(generation.jobId, nameOf(generation), generation.names);
    }
  }

  #seriesOf(jobId: string): Series {
    let series = this.#series.get(jobId);
    if (!series) {
      series = { generations: [], heads: [] };
      this.#series.set(jobId, series);
    }
    return series;
  }
}

const nameOf = ({ attempt, generation }: Generation) => `${attempt}/${generation}`;
const jobOf = (key: string) => key.split("/")[2] ?? "";

function newestIntact({ generations }: Series): Generation | null {
  return generations.findLast(({ damaged, retired }) => !damaged && !retired) ?? null;
}
