/** Reads a large file and says which chunks it consists of (lay-out.ts decides). */
import type { FileHandle } from "node:fs/promises";
import { type FileContent, wholeChunks } from "./content.ts";
import { layOut } from "./lay-out.ts";
import { digestRange, type Range } from "./reading.ts";
import type { ChunkSizes } from "./sizes.ts";

export interface OpenFile {
  handle: FileHandle;
  path: string;
  sizeBytes: number;
}

/** `former`: what it held before. Each byte is read once, unless pieces and gaps lie across each other. */
export async function layOutFile(
  { handle, path, sizeBytes }: OpenFile,
  former: FileContent | undefined,
  sizes: ChunkSizes,
  signal: AbortSignal,
): Promise<FileContent> {
  const digests = new Map<string, string>();
  const digest = async (range: Range) => {
    const name = `${range.offset}+${range.bytes}`;
    const known = digests.get(name) ?? (await digestRange(handle, path, range, signal));
    digests.set(name, known);
    return known;
  };
  const candidates = former ? wholeChunks(former) : [];
  const matching = [];
  for (const { offset, chunk } of candidates) {
    if (offset + chunk.bytes > sizeBytes) break;
    if ((await digest({ offset, bytes: chunk.bytes })) === chunk.sha256) matching.push({ offset, chunk });
  }
  const pieces = [];
  for (const { offset, bytes, chunk } of layOut(sizeBytes, matching, sizes)) {
    const sha256 = chunk?.sha256 ?? (await digest({ offset, bytes }));
    pieces.push({ chunk: { sha256, bytes }, offset: 0, bytes });
  }
  return { sizeBytes, pieces };
}

/** Whether the file still begins with this content. */
export async function holds(
  { handle, path }: Omit<OpenFile, "sizeBytes">,
  content: FileContent,
  signal: AbortSignal,
): Promise<boolean> {
  for (const { offset, chunk } of wholeChunks(content)) {
    const range = { offset, bytes: chunk.bytes };
    if ((await digestRange(handle, path, range, signal)) !== chunk.sha256) return false;
  }
  return true;
}
