/**
 * A manifest as somebody else wrote it, made fit to be trusted: pure. Its bytes are what was committed (their hash says so), but
 * who knows by whom. Nothing is used of a manifest in which anything is wrong.
 */
import type { z } from "zod";
import { type ChunkName, type Head, ManifestEntry, ManifestHead } from "../../../src/contract/index.ts";
import { isOwnFile } from "../transfer/object-key.ts";

export interface Manifest {
  head: ManifestHead;
  entries: ManifestEntry[];
}

export type FileEntry = Extract<ManifestEntry, { type: "file" }>;

/** What must not be in a manifest is in it. */
export class CorruptManifest extends Error {
  override readonly name = "CorruptManifest";
}

export interface Expected {
  jobId: string;
  prefix: string;
  name: NonNullable<Head["head"]>;
}

/** @throws CorruptManifest. Lets other work go on between the lines. */
export async function readManifest(text: Buffer, expected: Expected): Promise<Manifest> {
  let head: ManifestHead | undefined;
  const entries: ManifestEntry[] = [];
  for (const [index, line] of linesOf(text)) {
    if (head === undefined) head = parse(ManifestHead, line, index);
    else entries.push(parse(ManifestEntry, line, index));
    if (index % linesInARow === 0) await new Promise(setImmediate);
  }
  if (!head) throw new CorruptManifest("it is empty");
  checkHead(head, expected);
  checkPaths(entries);
  checkPieces(head, entries);
  return { head, entries };
}

const linesInARow = 1000;

function* linesOf(text: Buffer): Generator<[number, string]> {
  for (let start = 0, index = 1; start < text.byteLength; index += 1) {
    const newline = text.indexOf(0x0a, start);
    const end = newline === -1 ? text.byteLength : newline;
    yield [index, text.toString("utf8", start, end)];
    start = end + 1;
  }
}

function parse<T>(schema: z.ZodType<T>, line: string, index: number): T {
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch {
    throw new CorruptManifest(`line ${index} is no JSON`);
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new CorruptManifest(`line ${index}: ${issue?.path.join(".")} ${issue?.message}`);
}

function checkHead(head: ManifestHead, { jobId, prefix, name }: Expected): void {
  const isIt =
    head.job_id === jobId &&
    head.prefix === prefix &&
    head.attempt === name.attempt &&
    head.generation === name.generation;
  if (!isIt) throw new CorruptManifest("it is another generation's");
}

/** Every path stays inside the directory, is there once, and leads through directories alone. */
function checkPaths(entries: ManifestEntry[]): void {
  const types = new Map<string, ManifestEntry["type"]>();
  for (const { path, type } of entries) {
    const segments = path.split("/");
    if (segments.some((segment) => segment === "" || segment === "." || segment === "..")) {
      throw new CorruptManifest(`${JSON.stringify(path)} is no path inside a directory`);
    }
    if (segments.some(isOwnFile))
      throw new CorruptManifest(`${JSON.stringify(path)} is a name of the agent's own`);
    if (types.has(path)) throw new CorruptManifest(`${JSON.stringify(path)} is there twice`);
    types.set(path, type);
  }
  for (const path of types.keys()) {
    for (let end = path.lastIndexOf("/"); end > 0; end = path.lastIndexOf("/", end - 1)) {
      const type = types.get(path.slice(0, end));
      if (type !== undefined && type !== "directory")
        throw new CorruptManifest(`${JSON.stringify(path)} leads through a ${type}`);
    }
  }
}

/** Every piece lies in a chunk that is named, and a file's pieces are as long as the file. */
function checkPieces({ chunks, files, bytes }: ManifestHead, entries: ManifestEntry[]): void {
  const keys = new Set(chunks.map(([attempt, generation, sha256]) => `${attempt}/${generation}/${sha256}`));
  if (keys.size !== chunks.length) throw new CorruptManifest("it names a chunk twice");
  const used = chunks.map((): [number, number][] => []);
  const all = entries.filter((entry): entry is FileEntry => entry.type === "file");
  for (const { path, size, pieces } of all) {
    let total = 0;
    for (const [index, offset, length] of pieces) {
      if (offset + length > sizeOf(chunks[index]))
        throw new CorruptManifest(`${JSON.stringify(path)} has a piece that no chunk holds`);
      used[index]?.push([offset, length]);
      total += length;
    }
    if (total !== size) throw new CorruptManifest(`the pieces of ${JSON.stringify(path)} are not its size`);
  }
  for (const ranges of used) checkApart(ranges);
  const totalBytes = all.reduce((sum, { size }) => sum + size, 0);
  if (all.length !== files || totalBytes !== bytes)
    throw new CorruptManifest("its files are not those that it counts");
}

/** Files with the same content share a range; but no two ranges overlap in part. */
function checkApart(ranges: [number, number][]): void {
  ranges.sort(([one, oneLength], [other, otherLength]) => one - other || oneLength - otherLength);
  for (const [index, [offset, length]] of ranges.entries()) {
    const [before, beforeLength] = ranges[index - 1] ?? [0, 0];
    const same = index > 0 && before === offset && beforeLength === length;
    if (!same && offset < before + beforeLength) throw new CorruptManifest("its pieces overlap");
  }
}

function sizeOf(chunk: ChunkName | undefined): number {
  return chunk?.[3] ?? -1;
}
