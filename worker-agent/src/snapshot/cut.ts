/** A cut: one state of a directory, with everything at hand that is to be sent of it. And the rules for files that move meanwhile. */
import { lstat } from "node:fs/promises";
import { FileDisturbed } from "../transfer/failures.ts";
import type { KnownFile } from "../transfer/ports.ts";
import type { FileContent } from "./content.ts";
import { isDisplaced } from "./hold-still.ts";
import type { Sources } from "./sources.ts";
import type { SeenEntry } from "./survey.ts";

export interface Cut {
  taken: Date;
  /** Nothing changed while it was taken: its files belong together. */
  quiet: boolean;
  entries: Map<string, SeenEntry>;
  contents: Map<string, FileContent>;
  /** Of every chunk that was not stored when the cut was taken. */
  sources: Sources;
  /** Gives the disk space back. */
  remove(): Promise<void>;
}

/** A cut at rest takes a file only as it was seen. */
export function expectedOf({ quiet, entries }: Cut, path: string): KnownFile | undefined {
  const seen = entries.get(path);
  return quiet && seen?.type === "file" ? seen.state : undefined;
}

/** The cut says what was read, not what was seen before. */
export function correct({ entries }: Cut, path: string, state: KnownFile): void {
  const seen = entries.get(path);
  if (seen?.type === "file") entries.set(path, { ...seen, state });
}

/** A file that could not be had in any one state. */
const triesInMotion = 3;

/** What is in motion may hold still for another try. */
export async function inMotion<T>({ quiet }: Cut, work: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await work();
    } catch (failure) {
      if (quiet || tries === triesInMotion || !(failure instanceof FileDisturbed)) throw failure;
    }
  }
}

/** In motion a file that is gone is no part of the cut; at rest nothing may go. `original`: where it is. */
export async function unlessGone<T>(
  path: string,
  original: string,
  cut: Cut,
  work: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await work();
  } catch (failure) {
    if (!isDisplaced(failure)) throw failure;
    const gone = (await lstat(original).catch(() => undefined)) === undefined;
    if (cut.quiet || !gone) throw new FileDisturbed(original);
    cut.entries.delete(path);
    return undefined;
  }
}
