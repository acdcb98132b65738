/**
 * The first page of the queue, in memory: a hint. What it says is checked by the claim's fence in D1; what it misses
 * is found within `freshMs`, or at once when the group is told of new jobs.
 */

import type { D1Port } from "../db/d1-port.ts";
import { type Candidate, candidateFromRecord, readHead, readHeadFor } from "../db/leases/head.ts";
import type { GroupKey } from "./protocol.ts";

/** A priority that jumped the queue unannounced is seen after this long at the latest. */
const freshMs = 2_000;
/** One read serves so many claims. */
const pageSize = 128;

/** Who asks for a job. Old workers, without claim id, know nothing of managed storage: they would run such a job without its files. */
export interface Claimer {
  id: string;
  knowsManaged: boolean;
}

interface Load {
  startedAt: number;
  done: Promise<void>;
}

export class QueueHead {
  readonly #d1: D1Port;
  readonly #nowMs: () => number;
  #items: Candidate[] = [];
  /** Whether the queue may be longer than what the last read brought. */
  #partial = false;
  #loadedMs = Number.NEGATIVE_INFINITY;
  /** Counts arrivals and loads: a claim trusts "nothing there" only from a read that began after it came. */
  #ticks = 0;
  #loading: Load | null = null;

  constructor(d1: D1Port, nowMs: () => number) {
    this.#d1 = d1;
    this.#nowMs = nowMs;
  }

  /** Forgets the page: a job came back to the queue, and goes before fresh ones. */
  invalidate(): void {
    this.#items = [];
    this.#loadedMs = Number.NEGATIVE_INFINITY;
  }

  /** Jobs were added. Only those that rank before the page's end change it. */
  noteAdded(priority: number): void {
    const last = this.#items.at(-1);
    if (last !== undefined && priority > last.priority) this.invalidate();
  }

  /**
   * Takes the first job that this machine may have and `allowed` lets it off the page; null when D1 has none. Rejects when D1
   * cannot be read. The caller looks once more whether the job is still free: others
   * have had their turn since the choice.
   */
  async take(
    key: GroupKey,
    machine: Claimer,
    allowed: (candidate: Candidate) => boolean,
  ): Promise<Candidate | null> {
    const arrivedAt = ++this.#ticks;
    const mayHave = (candidate: Candidate) =>
      !candidate.bannedMachineIds.includes(machine.id) &&
      (machine.knowsManaged || !candidate.managed) &&
      allowed(candidate);

    if (this.#nowMs() - this.#loadedMs <= freshMs) {
      const found = this.#pop(mayHave);
      if (found) return found;
    }
    let load: Load;
    do {
      load = this.#load(key);
      await load.done;
      const found = this.#pop(mayHave);
      if (found) return found;
    } while (load.startedAt < arrivedAt);
    if (!this.#partial) return null;
    return this.#pastThePage(key, machine, allowed);
  }

  #pop(mayHave: (candidate: Candidate) => boolean): Candidate | null {
    const at = this.#items.findIndex(mayHave);
    if (at === -1) return null;
    return this.#items.splice(at, 1)[0] ?? null;
  }

  /** Jobs of the last page that nobody took: closed to those who asked. */
  left(): readonly Candidate[] {
    return this.#items;
  }

  /** One read for all who wait. */
  #load(key: GroupKey): Load {
    if (this.#loading) return this.#loading;
    const load: Load = { startedAt: ++this.#ticks, done: this.#read(key) };
    this.#loading = load;
    return load;
  }

  async #read(key: GroupKey): Promise<void> {
    try {
      const now = this.#nowMs();
      const [records] = await this.#d1.batch([readHead(key.userId, key.containerGroupId, now, pageSize)]);
      this.#items = (records ?? []).map(candidateFromRecord);
      this.#partial = this.#items.length === pageSize;
      this.#loadedMs = now;
    } finally {
      this.#loading = null;
    }
  }

  /** The whole page is closed to this machine: ask with what it must not have in the statement (rule 9). */
  async #pastThePage(
    key: GroupKey,
    machine: Claimer,
    allowed: (candidate: Candidate) => boolean,
  ): Promise<Candidate | null> {
    const [records] = await this.#d1.batch([
      readHeadFor(key.userId, key.containerGroupId, machine, this.#nowMs(), pageSize),
    ]);
    return (records ?? []).map(candidateFromRecord).find(allowed) ?? null;
  }
}
