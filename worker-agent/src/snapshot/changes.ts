/** What has changed between two looks at a directory: pure. */
import { sameButCtime, sameState } from "../transfer/file-state.ts";
import type { Knowledge } from "./knowledge.ts";
import type { SeenEntry } from "./survey.ts";

type Entries = ReadonlyMap<string, SeenEntry>;

/** Whether there is anything to be cut: something differs from what was cut last. */
export function differs(now: Entries, cut: Entries, knowledge: Knowledge): boolean {
  if (now.size !== cut.size) return true;
  for (const [path, entry] of now) {
    const other = cut.get(path);
    if (!other || !sameEntry(entry, other)) return true;
    // Its ctime alone may have been moved by our own links.
    const isFile = entry.type === "file" && other.type === "file";
    if (isFile && !sameState(entry.state, other.state) && !knowledge.contentOf(path, entry.state))
      return true;
  }
  return false;
}

/**
 * When something last changed, by the wall clock, as far as the changed entries tell; undefined: nothing has. `nowMs` where
 * they do not tell, as when one has gone.
 */
export function lastChangeMs(now: Entries, before: Entries, nowMs: number): number | undefined {
  let latestMs: number | undefined;
  const changed = (ms: number) => {
    latestMs = Math.max(latestMs ?? 0, ms);
  };
  for (const [path, entry] of now) {
    const other = before.get(path);
    if (!other || !sameEntry(entry, other)) changed(changeTimeMs(entry, nowMs));
  }
  for (const path of before.keys()) if (!now.has(path)) changed(nowMs);
  return latestMs;
}

/** Ctimes of files apart, which our own links move. */
export function sameEntry(one: SeenEntry, other: SeenEntry): boolean {
  if (one.type === "file" && other.type === "file")
    return one.mode === other.mode && sameButCtime(one.state, other.state);
  if (one.type === "link" && other.type === "link") return one.target === other.target;
  if (one.type !== "directory" || other.type !== "directory") return false;
  return one.mode === other.mode && one.mtimeNs === other.mtimeNs;
}

function changeTimeMs(entry: SeenEntry, nowMs: number): number {
  if (entry.type === "link") return nowMs;
  // The ctime of a file moves with its mtime and cannot be set.
  const timeNs = entry.type === "file" ? entry.state.ctimeNs : entry.mtimeNs;
  return Number(timeNs / 1_000_000n);
}
