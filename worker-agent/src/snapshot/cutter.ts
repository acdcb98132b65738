/**
 * Takes a cut: one state of the whole directory, with everything at hand that is to be sent of it.
 *
 * 1. A survey. Files in a known state are not read.
 * 2. Large files are linked aside, small ones copied together into packs, restless ones copied.
 * 3. A second survey finds nothing changed: then, and only then, all of it belongs together (`quiet`). A cut in motion
 *    does without, and each of its files is but a state that it had.
 * 4. Large files are read once, from their links, and laid out in chunks. The hashes taken here are what is sent later: a file
 *    rewritten in place before its bytes are on the wire shows by another hash, and one that was only appended to does not.
 */
import { join, relative } from "node:path";
import { FileDisturbed } from "../transfer/failures.ts";
import { sameState } from "../transfer/file-state.ts";
import type { RulePattern } from "../transfer/patterns/rule-pattern.ts";
import { sameEntry } from "./changes.ts";
import type { FileContent } from "./content.ts";
import type { Cut } from "./cut.ts";
import type { Knowledge } from "./knowledge.ts";
import { LargeFiles } from "./large-files.ts";
import type { ChunkSizes } from "./sizes.ts";
import { packSmallFiles } from "./small-files.ts";
import { Staging } from "./staging.ts";
import { type SeenEntry, type Survey, survey } from "./survey.ts";
import { wornPacks } from "./worn-packs.ts";

export interface CutterSettings {
  /** The user's directory, absolute. */
  root: string;
  /** The same without links in its path. */
  realRoot: string;
  pattern: RulePattern;
  sizes: ChunkSizes;
  signal: AbortSignal;
  knowledge: Knowledge;
  isStored(sha256: string): boolean;
  onProblem(message: string): void;
}

export class Cutter {
  readonly #settings: CutterSettings;
  readonly #restless = new Set<string>();
  #toldNoRoom = false;

  constructor(settings: CutterSettings) {
    this.#settings = settings;
  }

  /** This file spoiled a cut: it is copied from now on. */
  restless(path: string): void {
    this.#restless.add(path);
    this.#settings.knowledge.doubt(path);
  }

  /** @param first what was seen of the directory just now. @throws FileDisturbed when it would not hold still; LocalFailure. */
  async take(first: Survey, quiet: boolean): Promise<Cut> {
    const { realRoot, knowledge } = this.#settings;
    const staging = new Staging(realRoot);
    const remove = () =>
      staging.remove((original, before, after) =>
        knowledge.moved(relative(realRoot, original), before, after),
      );
    const cut: Cut = {
      taken: new Date(),
      quiet,
      entries: new Map(first.entries),
      contents: new Map(),
      sources: new Map(),
      remove,
    };
    try {
      const { large, small } = this.#toRead(cut);
      const settings = { ...this.#settings, restless: this.#restless, onNoRoom: () => this.#tellNoRoom() };
      const largeFiles = new LargeFiles(settings);
      const staged = await largeFiles.stage(large, cut, staging);
      await packSmallFiles(small, cut, staging, settings);
      if (quiet) await this.#confirm(cut, staged);
      for (const [path, file] of staged) await largeFiles.read(path, file, cut, staging);
      return cut;
    } catch (failure) {
      await remove();
      throw failure;
    }
  }

  /** What is known goes into the cut; the rest is to be read, or at least to be at hand for sending. */
  #toRead({ entries, contents }: Cut) {
    const { knowledge, sizes, isStored } = this.#settings;
    const large: string[] = [];
    const small: string[] = [];
    const packed = new Map<string, FileContent>();
    for (const [path, seen] of entries) {
      if (seen.type !== "file") continue;
      const content = knowledge.contentOf(path, seen.state);
      const stored = content?.pieces.every(({ chunk }) => isStored(chunk.sha256)) ?? false;
      if (seen.state.sizeBytes === 0) contents.set(path, { sizeBytes: 0, pieces: [] });
      else if (seen.state.sizeBytes < sizes.smallBytes) {
        if (content && stored) packed.set(path, content);
        else small.push(path);
      } else if (content && stored) contents.set(path, content);
      else large.push(path);
    }
    const worn = wornPacks(packed.values(), sizes);
    for (const [path, content] of packed) {
      if (content.pieces.some(({ chunk }) => worn.has(chunk.sha256))) small.push(path);
      else contents.set(path, content);
    }
    return { large: large.sort(), small: small.sort() };
  }

  /** Nothing has changed since the first survey but what linking changes. */
  async #confirm(cut: Cut, linked: { has(path: string): boolean }): Promise<void> {
    const { root, pattern, signal } = this.#settings;
    const now = await survey(root, signal, pattern);
    for (const [path, seen] of cut.entries) {
      const then = now?.entries.get(path);
      if (!then || !isStill(seen, then, linked.has(path) || this.#toldNoRoom))
        throw new FileDisturbed(join(root, path));
    }
    if (now?.entries.size !== cut.entries.size) throw new FileDisturbed(root);
  }

  #tellNoRoom(): void {
    if (this.#toldNoRoom) return;
    this.#toldNoRoom = true;
    this.#settings.onProblem(
      `no room beside ${this.#settings.root} for copies of files that change in place: they are sent only if they hold still`,
    );
  }
}

/** Linking moves the ctime. */
function isStill(one: SeenEntry, other: SeenEntry, linked: boolean): boolean {
  if (!sameEntry(one, other)) return false;
  return linked || one.type !== "file" || other.type !== "file" || sameState(one.state, other.state);
}
