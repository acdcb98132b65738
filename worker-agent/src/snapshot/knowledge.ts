/** Which contents files are known to have: a file in the same state is not read again. */
import { sameState } from "../transfer/file-state.ts";
import type { KnownFile } from "../transfer/ports.ts";
import type { FileContent } from "./content.ts";

interface KnownContent {
  /** Undefined: it has changed since, nobody knows when. */
  state: KnownFile | undefined;
  content: FileContent;
}

export class Knowledge {
  /** By path relative to the directory. */
  readonly #files = new Map<string, KnownContent>();

  learn(path: string, state: KnownFile, content: FileContent): void {
    this.#files.set(path, { state, content });
  }

  /** The content of the file in exactly this state. */
  contentOf(path: string, state: KnownFile): FileContent | undefined {
    const known = this.#files.get(path);
    return known?.state && sameState(known.state, state) ? known.content : undefined;
  }

  /** What the file held when it was last looked at: much of it may still be there. */
  formerContentOf(path: string): FileContent | undefined {
    return this.#files.get(path)?.content;
  }

  /** What we did to the file has moved its ctime, and nothing else. */
  moved(path: string, before: KnownFile, after: KnownFile): void {
    const known = this.#files.get(path);
    if (known?.state && sameState(known.state, before)) known.state = after;
  }

  /** To be read again, whatever its state. Most of what it held may still be there. */
  doubt(path: string): void {
    const known = this.#files.get(path);
    if (known) known.state = undefined;
  }

  /** Only these files are there any more. */
  keepOnly(paths: { has(path: string): boolean }): void {
    for (const path of this.#files.keys()) if (!paths.has(path)) this.#files.delete(path);
  }
}
