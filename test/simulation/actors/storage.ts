/** What the jobs have to do, and how far what has been uploaded brings the next attempt. */
export interface Work {
  totalMs: number;
  /** Uploaded: where the next attempt goes on. */
  storedMs: number;
  /** Exits with an error so often. */
  failShare: number;
  /** Goes on from a generation in managed storage, and nothing else. */
  managed: boolean;
}

export class Storage {
  readonly #works = new Map<string, Work>();
  #hashes = 0;

  /** Of bytes that nobody has had before. */
  newSha256(): string {
    return (++this.#hashes).toString(16).padStart(64, "0");
  }

  add(jobId: string, work: Work): void {
    this.#works.set(jobId, work);
  }

  work(jobId: string): Work {
    const work = this.#works.get(jobId);
    if (!work) throw new Error(`nobody submitted ${jobId}`);
    return work;
  }

  /** Whatever is left takes no longer than this, and does not fail. */
  hurry(mostMs: number): void {
    for (const work of this.#works.values()) {
      work.totalMs = Math.min(work.totalMs, work.storedMs + mostMs);
      work.failShare = 0;
    }
  }

  landed(jobId: string, doneMs: number): void {
    const work = this.work(jobId);
    work.storedMs = Math.max(work.storedMs, doneMs);
  }
}
