/**
 * Large files of a cut: linked aside (restless ones copied), and read from there once, for the hashes of what is to be sent. A
 * file rewritten in place before its bytes are on the wire shows by another hash; one that was only appended to does not.
 */
import type { FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { FileDisturbed, LocalFailure } from "../transfer/failures.ts";
import type { KnownFile } from "../transfer/ports.ts";
import type { FileContent } from "./content.ts";
import { copyAside } from "./copy-aside.ts";
import { type Cut, correct, expectedOf, inMotion, unlessGone } from "./cut.ts";
import type { CutterSettings } from "./cutter.ts";
import { checkHeldStill, openFlags, stateToRead } from "./hold-still.ts";
import { holds, layOutFile } from "./lay-out-file.ts";
import { withFile } from "./reading.ts";
import type { Staging } from "./staging.ts";
import type { SeenFile } from "./survey.ts";

export interface StagedFile {
  staged: string;
  isLink: boolean;
  /** Of the original, when a copy is known to be that. */
  state: KnownFile | undefined;
}

export interface LargeFilesSettings extends CutterSettings {
  /** Files once found changed in place while their cut was read: copied from then on. */
  restless: Set<string>;
  onNoRoom(): void;
}

export class LargeFiles {
  readonly #settings: LargeFilesSettings;

  constructor(settings: LargeFilesSettings) {
    this.#settings = settings;
  }

  /** Links or copies them aside. */
  async stage(paths: string[], cut: Cut, staging: Staging): Promise<Map<string, StagedFile>> {
    const staged = new Map<string, StagedFile>();
    for (const path of paths) {
      this.#settings.signal.throwIfAborted();
      const file = await unlessGone(path, this.#pathOf(path), cut, () => this.#stageOne(path, cut, staging));
      if (file) staged.set(path, file);
    }
    return staged;
  }

  async #stageOne(path: string, cut: Cut, staging: Staging): Promise<StagedFile> {
    const original = this.#pathOf(path);
    if (this.#settings.restless.has(path)) {
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
      const copied = await inMotion(cut, () =>
        copyAside(this.#pathOf(path), staging, expectedOf(cut, path), this.#settings.signal),
      );
      return { staged: copied.path, isLink: false, state: copied.state };
    } catch (failure) {
      if (!(failure instanceof LocalFailure) || failure.code !== "ENOSPC") throw failure;
      this.#settings.onNoRoom();
      return undefined;
    }
  }

  /** Lays it out in chunks. */
  async read(path: string, file: StagedFile, cut: Cut, staging: Staging): Promise<void> {
    try {
      await this.#layOut(path, file, cut);
    } catch (failure) {
      if (!(failure instanceof FileDisturbed)) throw failure;
      this.#settings.restless.add(path);
      this.#settings.knowledge.doubt(path);
      // In motion a copy will do as well; a quiet cut would not be one any more.
      const copy = cut.quiet ? undefined : await this.#copy(path, cut, staging);
      if (!copy) throw failure;
      await this.#layOut(path, copy, cut);
    }
  }

  async #layOut(path: string, { staged, isLink, state: copied }: StagedFile, cut: Cut): Promise<void> {
    const { knowledge, sizes, signal } = this.#settings;
    const original = this.#pathOf(path);
    const read = async (handle: FileHandle) => {
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
    };
    await withFile(staged, openFlags, read, original);
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

  #pathOf(path: string): string {
    return join(this.#settings.realRoot, path);
  }
}
