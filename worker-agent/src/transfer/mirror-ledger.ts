/**
 * What a mirror knows: each file's latest state, the state that its object has, and so what is to be uploaded and
 * deleted. Decides purely; mirror.ts looks, acts and reports back.
 *
 * An object is deleted only when (1) its file is absent in two scans, (2) every file seen in the second of them or
 * earlier is up in a state at least that new, and (3) the root is still the directory that the file was in.
 * (2) is for the job that writes checkpoint 2 and then deletes checkpoint 1: the bucket must never hold neither.
 * (1) is because a scan is no snapshot: it may have passed checkpoint 2's directory before that was written, and
 * reached checkpoint 1's after that was gone. The second scan began later, and does see checkpoint 2.
 */
import { mtimeMs, sameState } from "./file-state.ts";
import { byMtime, type Entry, isOpen, isUp, newEntry } from "./mirror-entry.ts";
import type { KnownFile, TransferError } from "./ports.ts";
import type { Walk } from "./walk.ts";

export interface LedgerTimes {
  stabilityMs: number;
  maxWaitMs: number;
}

export interface Look {
  /** Monotonic. */
  nowMs: number;
  /** Comparable with mtimes. */
  wallMs: number;
  /** False: the root was replaced by another directory since the last look. */
  sameRoot: boolean;
}

const retryCapMs = 60_000;
const retryBaseMs = 1000;
/** R2 takes one write a second to one key. */
const sameKeyPauseMs = 1000;

export class MirrorLedger {
  readonly #entries = new Map<string, Entry>();
  readonly #times: LedgerTimes;
  #scan = 0;
  #lookedMs = 0;
  #rootPresent = false;

  constructor(times: LedgerTimes) {
    this.#times = times;
  }

  /** A file that a download wrote. `deletable`: its object is the one that this mirror would delete. */
  know(path: string, relativePath: string, state: KnownFile, deletable: boolean): void {
    const entry = newEntry(path, relativePath);
    entry.latest = state;
    entry.uploaded = state;
    entry.mayExist = deletable;
    this.#entries.set(path, entry);
  }

  /** Takes in a scan; undefined: there was no root. */
  observe(walk: Pick<Walk, "files" | "unreadable"> | undefined, look: Look): void {
    this.#scan += 1;
    this.#lookedMs = look.nowMs;
    this.#rootPresent = walk !== undefined;
    for (const [path, { relativePath, state }] of walk?.files ?? []) {
      const entry = this.#entries.get(path) ?? newEntry(path, relativePath);
      this.#entries.set(path, entry);
      this.#seen(entry, state, look);
    }
    for (const entry of this.#entries.values()) {
      if (
        walk?.files.has(entry.path) ||
        walk?.unreadable.some((failure) => isBelow(entry.path, failure.path))
      )
        continue;
      this.#missed(entry);
      // With the whole directory gone or replaced nothing was deleted in it: its objects stay.
      if (!walk || !look.sameRoot) entry.mayExist = false;
      if (!entry.mayExist && !entry.busy) this.#entries.delete(entry.path);
    }
  }

  #seen(entry: Entry, state: KnownFile, look: Look): void {
    entry.absentSinceScan = undefined;
    if (!entry.latest || !sameState(entry.latest, state)) {
      entry.latest = state;
      entry.changedAtScan = this.#scan;
      entry.changedMs = look.nowMs;
    }
    entry.quiet = look.wallMs - mtimeMs(state) >= this.#times.stabilityMs;
    if (isUp(entry)) {
      entry.waitingSinceScan = undefined;
    } else if (entry.waitingSinceScan === undefined) {
      entry.waitingSinceScan = this.#scan;
      entry.waitingSinceMs = look.nowMs;
    }
  }

  #missed(entry: Entry): void {
    entry.latest = undefined;
    entry.waitingSinceScan = undefined;
    entry.absentSinceScan ??= this.#scan;
  }

  /** Files to upload now, the one written first first. `force`: at the end, when there is nothing to wait for. */
  due(nowMs: number, force: boolean): Entry[] {
    return [...this.#entries.values()]
      .filter((entry) => entry.latest && entry.waitingSinceScan !== undefined && !entry.busy)
      .filter((entry) => (force ? entry.failedAtScan !== this.#scan : this.#dueAtMs(entry) <= nowMs))
      .sort(byMtime);
  }

  #dueAtMs(entry: Entry): number {
    if (this.#isStable(entry)) return entry.notBeforeMs;
    return Math.max(entry.notBeforeMs, entry.waitingSinceMs + this.#times.maxWaitMs);
  }

  #isStable(entry: Entry): boolean {
    return entry.quiet || this.#lookedMs - entry.changedMs >= this.#times.stabilityMs;
  }

  /** When the next scan is worth its while, hints and habit apart; Infinity: nothing is waited for. */
  nextLookMs(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const entry of this.#entries.values()) {
      if (!isOpen(entry)) continue;
      // Whether a file has become stable can only be told by looking at it once more.
      const stableAtMs = entry.changedMs + this.#times.stabilityMs;
      const dueAtMs = this.#dueAtMs(entry);
      const isStable = !entry.latest || this.#isStable(entry);
      next = Math.min(next, isStable ? dueAtMs : Math.max(entry.notBeforeMs, Math.min(stableAtMs, dueAtMs)));
    }
    return next;
  }

  /** Files whose objects may be deleted now. */
  deletable(nowMs: number, force: boolean): Entry[] {
    if (!this.#rootPresent) return [];
    let oldestWaiting = Number.POSITIVE_INFINITY;
    for (const { latest, waitingSinceScan } of this.#entries.values()) {
      if (latest && waitingSinceScan !== undefined) oldestWaiting = Math.min(oldestWaiting, waitingSinceScan);
    }
    return [...this.#entries.values()].filter((entry) => {
      if (entry.busy || entry.latest || !entry.mayExist || entry.absentSinceScan === undefined) return false;
      const confirmedBy = entry.absentSinceScan + 1;
      if (this.#scan < confirmedBy || oldestWaiting <= confirmedBy) return false;
      return force ? entry.failedAtScan !== this.#scan : entry.notBeforeMs <= nowMs;
    });
  }

  beginUpload(entry: Entry): void {
    entry.busy = true;
    entry.mayExist = true;
  }

  /** `before`: `entry.latest` when the upload began. */
  uploaded(entry: Entry, state: KnownFile, before: KnownFile | undefined, nowMs: number): void {
    this.#ended(entry);
    entry.uploaded = state;
    entry.notBeforeMs = nowMs + sameKeyPauseMs;
    // No scan has seen a newer state: what the upload found is the latest there is.
    if (entry.latest && before && sameState(entry.latest, before)) entry.latest = state;
    if (!entry.latest) return;
    entry.waitingSinceScan = isUp(entry) ? undefined : entry.changedAtScan;
    entry.waitingSinceMs = nowMs;
  }

  /** The file was gone when its upload was to begin; the next scans will tell whether for good. */
  vanished(entry: Entry): void {
    this.#ended(entry);
    entry.latest = undefined;
    entry.waitingSinceScan = undefined;
    entry.absentSinceScan = this.#scan + 1;
  }

  failed(entry: Entry, problem: TransferError, nowMs: number): void {
    entry.busy = false;
    entry.problem = problem;
    entry.failures += 1;
    entry.failedAtScan = this.#scan;
    entry.notBeforeMs = nowMs + Math.min(retryCapMs, retryBaseMs * 2 ** (entry.failures - 1));
  }

  /** It changed while it was read: it is due when it has become stable, or when it has waited once more. */
  disturbed(entry: Entry, problem: TransferError, nowMs: number): void {
    entry.busy = false;
    entry.problem = problem;
    entry.failedAtScan = this.#scan;
    entry.quiet = false;
    entry.changedMs = nowMs;
    entry.waitingSinceMs = nowMs;
  }

  beginDelete(entry: Entry): void {
    entry.busy = true;
    entry.uploaded = undefined;
  }

  deleted(entry: Entry): void {
    this.#ended(entry);
    entry.mayExist = false;
    // It may have come back meanwhile: then it waits to be uploaded, as every file that is not up.
    if (entry.latest) entry.waitingSinceScan ??= entry.changedAtScan;
    else this.#entries.delete(entry.path);
  }

  #ended(entry: Entry): void {
    entry.busy = false;
    entry.problem = undefined;
    entry.failures = 0;
    entry.failedAtScan = undefined;
  }

  /** Everything is up and everything deleted. */
  get settled(): boolean {
    return ![...this.#entries.values()].some(isOpen);
  }

  /** Why what is not settled is not. */
  get problems(): TransferError[] {
    return [...this.#entries.values()].filter(isOpen).flatMap((entry) => entry.problem ?? []);
  }
}

function isBelow(path: string, directory: string): boolean {
  return path === directory || path.startsWith(`${directory}/`);
}
