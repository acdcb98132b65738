/** What a file consists of: pieces of chunks, which are named by what is in them. Where a chunk is stored is not said here. */

export interface Chunk {
  sha256: string;
  bytes: number;
}

/** `bytes` of the chunk from `offset` on, in the file's order. */
export interface ContentPiece {
  chunk: Chunk;
  offset: number;
  bytes: number;
}

export interface FileContent {
  sizeBytes: number;
  pieces: ContentPiece[];
}

/** A chunk that stands in a file whole, from `offset` of the file on. */
export interface PlacedChunk {
  offset: number;
  chunk: Chunk;
}

/** The pieces whose bytes can be told by the chunk's name alone. */
export function wholeChunks({ pieces }: FileContent): PlacedChunk[] {
  const placed: PlacedChunk[] = [];
  let offset = 0;
  for (const piece of pieces) {
    if (isWhole(piece)) placed.push({ offset, chunk: piece.chunk });
    offset += piece.bytes;
  }
  return placed;
}

export function isWhole({ chunk, offset, bytes }: ContentPiece): boolean {
  return offset === 0 && bytes === chunk.bytes;
}
