/** A generation as its manifest says it: the text, and what the text is made of. */
import { createHash } from "node:crypto";
import {
  type ChunkName,
  type GenerationName,
  limits,
  type ManifestEntry,
  type ManifestHead,
} from "../../../src/contract/index.ts";
import { TransferError } from "../transfer/ports.ts";
import type { FileContent } from "./content.ts";
import type { SeenEntry } from "./survey.ts";

export interface GenerationContents {
  entries: Map<string, SeenEntry>;
  /** Of every file among the entries. */
  contents: Map<string, FileContent>;
}

export interface ManifestFacts {
  jobId: string;
  prefix: string;
  name: GenerationName;
  base: GenerationName | null;
  cut: Date;
  quiet: boolean;
  /** In which generation a chunk is stored: the base's word, or this one. */
  storedIn(sha256: string): GenerationName;
  /** The mtime to be written down where the file system says this one. */
  mtimeOf(path: string, seenNs: bigint): bigint;
}

export interface WrittenManifest {
  text: Buffer;
  head: ManifestHead;
  /** Of the entries and the hashes of their chunks: the same for the same directory, cut whenever. */
  digest: string;
}

/** The event loop gets its turn after so many: a directory may have a hundred thousand files. */
const linesInARow = 1000;

/** @throws TransferError when the directory is more than a generation can hold. */
export async function writeManifest(
  { entries, contents }: GenerationContents,
  facts: ManifestFacts,
): Promise<WrittenManifest> {
  const chunks: ChunkName[] = [];
  const indexes = new Map<string, number>();
  const indexOf = (sha256: string, bytes: number) => {
    const known = indexes.get(sha256);
    if (known !== undefined) return known;
    const { attempt, generation } = facts.storedIn(sha256);
    indexes.set(sha256, chunks.length);
    return chunks.push([attempt, generation, sha256, bytes]) - 1;
  };
  const lines: string[] = [];
  let files = 0;
  let bytes = 0;
  for (const [path, seen] of sorted(entries)) {
    const entry = entryOf(path, seen, contents, indexOf, facts);
    if (entry.type === "file") {
      files += 1;
      bytes += entry.size;
    }
    if (lines.push(`${JSON.stringify(entry)}\n`) % linesInARow === 0) await new Promise(setImmediate);
  }
  if (chunks.length > limits.generationChunks)
    throw tooMuch(`${chunks.length} chunks`, limits.generationChunks);
  const { jobId: job_id, prefix, name, base, cut, quiet } = facts;
  const head: ManifestHead = {
    version: 1,
    job_id,
    prefix,
    ...name,
    base,
    cut: cut.toISOString(),
    quiet,
    files,
    bytes,
    chunks,
  };
  const body = Buffer.from(lines.join(""));
  const text = Buffer.concat([Buffer.from(`${JSON.stringify(head)}\n`), body]);
  if (text.byteLength > limits.manifestBytes)
    throw tooMuch(`a manifest of ${text.byteLength} bytes`, limits.manifestBytes);
  return { text, head, digest: digestOf(chunks, body) };
}

/** Of what a manifest says about the directory. `body`: all lines but the first. */
export function digestOf(chunks: ChunkName[], body: Uint8Array): string {
  const hash = createHash("sha256");
  for (const [, , sha256] of chunks) hash.update(sha256);
  return hash.update(body).digest("hex");
}

/** Always the same order for the same directory. */
function sorted(entries: Map<string, SeenEntry>): [string, SeenEntry][] {
  return [...entries].sort(([one], [other]) => (one < other ? -1 : 1));
}

function entryOf(
  path: string,
  seen: SeenEntry,
  contents: Map<string, FileContent>,
  indexOf: (sha256: string, bytes: number) => number,
  { mtimeOf }: ManifestFacts,
): ManifestEntry {
  switch (seen.type) {
    case "link":
      return { type: "link", path, target: seen.target };
    case "directory":
      return { type: "directory", path, mode: seen.mode, mtime_ns: String(mtimeOf(path, seen.mtimeNs)) };
    case "file": {
      const content = contents.get(path);
      if (!content) throw new Error(`the content of ${path} is not known`);
      const pieces = content.pieces.map(({ chunk, offset, bytes }): [number, number, number] => [
        indexOf(chunk.sha256, chunk.bytes),
        offset,
        bytes,
      ]);
      const { mode, state } = seen;
      const mtime_ns = String(mtimeOf(path, state.mtimeNs));
      return { type: "file", path, mode, mtime_ns, size: content.sizeBytes, pieces };
    }
  }
}

function tooMuch(what: string, limit: number): TransferError {
  return new TransferError(
    "config",
    `the directory is more than one generation can hold: ${what}, over ${limit}`,
  );
}
