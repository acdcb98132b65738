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
import { lstat } from "node:fs/promises";
import { join, relative } from "node:path";
import { FileDisturbed, LocalFailure } from "../transfer/failures.ts";
import { sameState } from "../transfer/file-state.ts";
import type { RulePattern } from "../transfer/patterns/rule-pattern.ts";
import type { KnownFile } from "../transfer/ports.ts";
import type { FileContent } from "./content.ts";
import { copyAside } from "./copy-aside.ts";
import { checkHeldStill, isDisplaced, openFlags, sameContentState, stateToRead } from "./hold-still.ts";
import type { Knowledge } from "./knowledge.ts";
import { holds, layOutFile } from "./lay-out-file.ts";
import { Packer } from "./packer.ts";
import { readInto, withFile } from "./reading.ts";
import type { ChunkSizes } from "./sizes.ts";
import type { Sources } from "./sources.ts";
import { Staging } from "./staging.ts";
import { type SeenEntry, type SeenFile, type Survey, survey } from "./survey.ts";
import { wornPacks } from "./worn-packs.ts";

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

/** A file that could not be had in any one state. */
const triesInMotion = 3;

export class Cutter {
  readonly #settings: CutterSettings;
  /** Files once found changed in place while their cut was read: copied from then on. */
  readonly #restless = new Set<string>();
  #toldNoRoom = false;

  constructor(settings: CutterSettings) {
    this.#settings = settings;
  }

  /** This file spoiled a cut. */
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
      const staged = await this.#stageAll(large, cut, staging);
      await this.#pack(small, cut, staging);
      if (quiet) await this.#confirm(cut, new Set(staged.keys()));
      for (const [path, file] of staged) await this.#read(path, file, cut, staging);
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

  async #stageAll(paths: string[], cut: Cut, staging: Staging): Promise<Map<string, StagedFile>> {
    const staged = new Map<string, StagedFile>();
    for (const path of paths) {
      this.#settings.signal.throwIfAborted();
      const file = await this.#unlessGone(path, cut, () => this.#stage(path, cut, staging));
      if (file) staged.set(path, file);
    }
    return staged;
  }

  async #stage(path: string, cut: Cut, staging: Staging): Promise<StagedFile> {
    const original = this.#pathOf(path);
    if (this.#restless.has(path)) {
      const copy = await this.#copy(path, cut, staging);
      if (copy) return copy;
    }
    const link = await staging.link(original);
    if (link !== undefined) return { staged: link, isLink: true, state: undefined };
    const copy = await this.#copy(path, cut, staging);
    if (copy) return copy;
    throw new LocalFailure(
      original,
      Object.assign(new Error("no room for a copy, and no link"), { code: "ENOSPC" }),
    );
  }

  /** Undefined: there is no room. */
  async #copy(path: string, cut: Cut, staging: Staging): Promise<StagedFile | undefined> {
    try {
      const copied = await this.#inMotion(cut, () =>
        copyAside(this.#pathOf(path), staging, expectedOf(cut, path), this.#settings.signal),
      );
      return { staged: copied.path, isLink: false, state: copied.state };
    } catch (failure) {
      if (!(failure instanceof LocalFailure) || failure.code !== "ENOSPC") throw failure;
      this.#tellNoRoom();
      return undefined;
    }
  }

  async #pack(paths: string[], cut: Cut, staging: Staging): Promise<void> {
    const { sizes, isStored, knowledge, signal } = this.#settings;
    const states = new Map<string, KnownFile>();
    const packer = new Packer(staging, cut.sources, {
      chunkBytes: sizes.chunkBytes,
      isStored,
      onNoRoom: () => this.#tellNoRoom(),
      onPacked: (path, content) => {
        const state = states.get(path);
        if (state) knowledge.learn(path, state, content);
        cut.contents.set(path, content);
      },
    });
    for (const path of paths) {
      signal.throwIfAborted();
      const read = await this.#unlessGone(path, cut, () =>
        this.#inMotion(cut, () => this.#readSmall(path, cut)),
      );
      if (!read) continue;
      const { bytes, state } = read;
      states.set(path, state);
      correct(cut, path, state);
      if (bytes.byteLength === 0) cut.contents.set(path, { sizeBytes: 0, pieces: [] });
      else await packer.add(path, this.#pathOf(path), bytes);
    }
    await packer.flush();
  }

  #readSmall(path: string, cut: Cut): Promise<{ bytes: Buffer; state: KnownFile }> {
    const { sizes, signal } = this.#settings;
    const original = this.#pathOf(path);
    return withFile(original, openFlags, async (handle) => {
      const held = await stateToRead(handle, original, expectedOf(cut, path), signal);
      const { state } = held;
      // It was small when it was seen.
      if (state.sizeBytes > sizes.chunkBytes) throw new FileDisturbed(original);
      const bytes = Buffer.allocUnsafeSlow(state.sizeBytes);
      await readInto(bytes, handle, original, 0);
      const lookAgain = async () => {
        const again = Buffer.allocUnsafeSlow(state.sizeBytes);
        await readInto(again, handle, original, 0);
        return again.equals(bytes);
      };
      await checkHeldStill(handle, original, held, cut.quiet ? undefined : lookAgain);
      return { bytes, state };
    });
  }

  /** Nothing has changed since the first survey but what linking changes. */
  async #confirm(cut: Cut, linked: Set<string>): Promise<void> {
    const { root, pattern, signal } = this.#settings;
    const now = await survey(root, signal, pattern);
    for (const [path, seen] of cut.entries) {
      const then = now?.entries.get(path);
      if (!then || !isStill(seen, then, linked.has(path) || this.#toldNoRoom))
        throw new FileDisturbed(this.#pathOf(path));
    }
    if (now?.entries.size !== cut.entries.size) throw new FileDisturbed(root);
  }

  async #read(path: string, file: StagedFile, cut: Cut, staging: Staging): Promise<void> {
    try {
      await this.#layOut(path, file, cut);
    } catch (failure) {
      if (!(failure instanceof FileDisturbed)) throw failure;
      this.restless(path);
      // In motion a copy will do as well; a quiet cut would not be one any more.
      const copy = cut.quiet ? undefined : await this.#copy(path, cut, staging);
      if (!copy) throw failure;
      await this.#layOut(path, copy, cut);
    }
  }

  async #layOut(path: string, { staged, isLink, state: copied }: StagedFile, cut: Cut): Promise<void> {
    const { knowledge, sizes, signal } = this.#settings;
    const original = this.#pathOf(path);
    await withFile(staged, openFlags, async (handle) => {
      const held = await stateToRead(handle, original, isLink ? expectedOf(cut, path) : undefined, signal);
      const seen = cut.entries.get(path) as SeenFile;
      // If it was known, and is only to be at hand for sending: linking has moved its ctime.
      if (isLink) knowledge.moved(path, seen.state, held.state);
      const state = isLink ? held.state : copied;
      // A copy of a growing file may be longer than what is known to be whole of it.
      const file = { handle, path: original, sizeBytes: (state ?? held.state).sizeBytes };
      const content =
        (state && knowledge.contentOf(path, state)) ??
        (await layOutFile(file, knowledge.formerContentOf(path), sizes, signal));
      if (isLink) {
        const lookAgain = () => holds(file, content, signal);
        await checkHeldStill(handle, original, held, cut.quiet ? undefined : lookAgain);
      }
      if (state) {
        knowledge.learn(path, state, content);
        correct(cut, path, state);
      }
      cut.contents.set(path, content);
      this.#offer(path, staged, isLink, content, cut);
    });
  }

  #offer(path: string, staged: string, isLink: boolean, content: FileContent, { sources }: Cut): void {
    let offset = 0;
    for (const { chunk, bytes } of content.pieces) {
      if (!sources.has(chunk.sha256) && !this.#settings.isStored(chunk.sha256)) {
        sources.set(chunk.sha256, [{ staged, offset, bytes, file: isLink ? path : undefined }]);
      }
      offset += bytes;
    }
  }

  /** In motion a file that is gone is no part of the cut; at rest nothing may go. */
  async #unlessGone<T>(path: string, cut: Cut, work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (failure) {
      if (!isDisplaced(failure)) throw failure;
      const original = this.#pathOf(path);
      const gone = (await lstat(original).catch(() => undefined)) === undefined;
      if (cut.quiet || !gone) throw new FileDisturbed(original);
      cut.entries.delete(path);
      return undefined;
    }
  }

  async #inMotion<T>(cut: Cut, work: () => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await work();
      } catch (failure) {
        if (cut.quiet || tries === triesInMotion || !(failure instanceof FileDisturbed)) throw failure;
      }
    }
  }

  #tellNoRoom(): void {
    if (this.#toldNoRoom) return;
    this.#toldNoRoom = true;
    this.#settings.onProblem(
      `no room beside ${this.#settings.root} for copies of files that change in place: they are sent only if they hold still`,
    );
  }

  /** Without links in the root's own path, since the root may be one. */
  #pathOf(path: string): string {
    return join(this.#settings.realRoot, path);
  }
}

interface StagedFile {
  staged: string;
  isLink: boolean;
  /** Of the original, when a copy is known to be that. */
  state: KnownFile | undefined;
}

/** A cut at rest takes a file only as it was seen. */
function expectedOf({ quiet, entries }: Cut, path: string): KnownFile | undefined {
  const seen = entries.get(path);
  return quiet && seen?.type === "file" ? seen.state : undefined;
}

/** The cut says what was read, not what was seen before. */
function correct({ entries }: Cut, path: string, state: KnownFile): void {
  const seen = entries.get(path);
  if (seen?.type === "file") entries.set(path, { ...seen, state });
}

function isStill(one: SeenEntry, other: SeenEntry, linked: boolean): boolean {
  if (one.type === "file" && other.type === "file") {
    const still = linked ? sameContentState : sameState;
    return one.mode === other.mode && still(one.state, other.state);
  }
  if (one.type === "link" && other.type === "link") return one.target === other.target;
  return (
    one.type === "directory" &&
    other.type === "directory" &&
    one.mode === other.mode &&
    one.mtimeNs === other.mtimeNs
  );
}
