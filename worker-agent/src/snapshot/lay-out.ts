/**
 * How a large file that has changed becomes chunks: pure. What still matches stays where it is; the gaps between are cut anew.
 *
 * - Appending costs what is appended, and less than 256 KiB of the end that was there: a smaller piece beside a gap is taken
 *   into it, or a log that grows by a line a minute would end as a million pieces. Before a gap of a chunk or more, a piece
 *   stays unless it is below 1/128 of the gap, so that large appends cost no percent more than their bytes.
 * - 16 pieces of less than 2 MiB in a row are taken together. Each byte so goes up twice at most for being appended in
 *   small portions, and a file of n bytes has n / 2 MiB pieces plus a few.
 */
import type { Chunk, PlacedChunk } from "./content.ts";
import type { ChunkSizes } from "./sizes.ts";

/** `chunk`: known to stand there. Otherwise bytes to be hashed and sent. */
export interface Span {
  offset: number;
  bytes: number;
  chunk?: Chunk;
}

/** Before a gap of at least a chunk, a piece of less than this part of it goes up again. */
const negligible = 128;

/** @param matching in the file's order, not overlapping, all of them inside the file. */
export function layOut(sizeBytes: number, matching: PlacedChunk[], sizes: ChunkSizes): Span[] {
  const kept = withoutRuns(withoutCrumbs(spansOf(sizeBytes, matching), sizes), sizes);
  return join(kept).flatMap((span) => (span.chunk ? [span] : inChunks(span, sizes.chunkBytes)));
}

/** The matching pieces and the gaps between them, gap and gap never beside each other. */
function spansOf(sizeBytes: number, matching: PlacedChunk[]): Span[] {
  const spans: Span[] = [];
  let end = 0;
  for (const { offset, chunk } of matching) {
    if (offset > end) spans.push({ offset: end, bytes: offset - end });
    spans.push({ offset, bytes: chunk.bytes, chunk });
    end = offset + chunk.bytes;
  }
  if (end < sizeBytes) spans.push({ offset: end, bytes: sizeBytes - end });
  return spans;
}

function withoutCrumbs(spans: Span[], { keptBytes, chunkBytes }: ChunkSizes): Span[] {
  return spans.map((span, index) => {
    if (!span.chunk || span.bytes >= keptBytes) return span;
    const before = spans[index - 1];
    const after = spans[index + 1];
    const gaps = [before, after].filter((other) => other && !other.chunk);
    if (gaps.length === 0) return span;
    const worthKeeping = gaps.every(
      (gap) => gap && gap.bytes >= chunkBytes && span.bytes * negligible > gap.bytes,
    );
    return worthKeeping ? span : toSend(span);
  });
}

function withoutRuns(spans: Span[], { undersizedBytes, undersizedMax }: ChunkSizes): Span[] {
  const isUndersized = (span: Span | undefined) => span?.chunk && span.bytes < undersizedBytes;
  const result = [...spans];
  for (let start = 0; start < spans.length; ) {
    let end = start;
    while (isUndersized(spans[end])) end += 1;
    if (end - start >= undersizedMax) {
      for (let index = start; index < end; index += 1) result[index] = toSend(spans[index] as Span);
    }
    start = Math.max(end, start + 1);
  }
  return result;
}

function toSend({ offset, bytes }: Span): Span {
  return { offset, bytes };
}

function join(spans: Span[]): Span[] {
  const joined: Span[] = [];
  for (const span of spans) {
    const last = joined.at(-1);
    if (last && !last.chunk && !span.chunk) last.bytes += span.bytes;
    else joined.push({ ...span });
  }
  return joined;
}

function inChunks({ offset, bytes }: Span, chunkBytes: number): Span[] {
  const spans: Span[] = [];
  for (let done = 0; done < bytes; done += chunkBytes) {
    spans.push({ offset: offset + done, bytes: Math.min(chunkBytes, bytes - done) });
  }
  return spans;
}
