/** What a mirror knows of one file. */
import { sameState } from "./file-state.ts";
import type { KnownFile, TransferError } from "./ports.ts";

export interface Entry {
  readonly path: string;
  readonly relativePath: string;
  /** As of the last scan; undefined: absent. */
  latest: KnownFile | undefined;
  /** The state that the object holds, as far as we know. */
  uploaded: KnownFile | undefined;
  /** We have, or may have, put an object under this file's key: only such objects are ever deleted. */
  mayExist: boolean;
  /** A transfer is under way. */
  busy: boolean;
  /** Why the last transfer failed. */
  problem: TransferError | undefined;
  /** The scan that first saw `latest`, and when that was. */
  changedAtScan: number;
  changedMs: number;
  /** The mtime alone says that the file has been left alone for long enough. */
  quiet: boolean;
  /** The first scan that saw a state which is not up yet. */
  waitingSinceScan: number | undefined;
  waitingSinceMs: number;
  absentSinceScan: number | undefined;
  failures: number;
  failedAtScan: number | undefined;
  notBeforeMs: number;
}

export function newEntry(path: string, relativePath: string): Entry {
  return {
    path,
    relativePath,
    latest: undefined,
    uploaded: undefined,
    mayExist: false,
    busy: false,
    problem: undefined,
    changedAtScan: 0,
    changedMs: 0,
    quiet: false,
    waitingSinceScan: undefined,
    waitingSinceMs: 0,
    absentSinceScan: undefined,
    failures: 0,
    failedAtScan: undefined,
    notBeforeMs: 0,
  };
}

/** The object holds what the file holds. */
export function isUp(entry: Entry): boolean {
  return (
    entry.latest !== undefined && entry.uploaded !== undefined && sameState(entry.latest, entry.uploaded)
  );
}

/** Something is left to do for it. */
export function isOpen(entry: Entry): boolean {
  return !entry.busy && (entry.latest ? entry.waitingSinceScan !== undefined : entry.mayExist);
}

/** The one written first first. */
export function byMtime(one: Entry, other: Entry): number {
  const [first = 0n, second = 0n] = [one.latest?.mtimeNs, other.latest?.mtimeNs];
  return first < second ? -1 : first > second ? 1 : 0;
}
