/** What a restore leaves to whoever cuts the same directory next: nothing is read or sent again that has not changed. */
import type { ManifestHead } from "../../../src/contract/index.ts";
import type { FileContent } from "./content.ts";
import type { SeenEntry } from "./survey.ts";

export interface Restored {
  prefix: string;
  /** The directory, absolute. */
  root: string;
  head: ManifestHead;
  digest: string;
  /** As they lie in the directory now. */
  entries: Map<string, SeenEntry>;
  contents: Map<string, FileContent>;
  mtimes: Mtimes;
}

/**
 * Node sets times in microseconds. What is restored so keeps the nanoseconds that its manifest told, from generation to generation,
 * as long as nobody touches it.
 */
export class Mtimes {
  readonly #said = new Map<string, { seenNs: bigint; saidNs: bigint }>();

  restored(path: string, seenNs: bigint, saidNs: bigint): void {
    if (seenNs !== saidNs) this.#said.set(path, { seenNs, saidNs });
  }

  of(path: string, seenNs: bigint): bigint {
    const said = this.#said.get(path);
    return said?.seenNs === seenNs ? said.saidNs : seenNs;
  }
}
