/** The sizes that decide how files become chunks. Tests hand in smaller ones. */

const kib = 1024;
const mib = 1024 * kib;

export interface ChunkSizes {
  /** A chunk is at most so large. */
  chunkBytes: number;
  /** A smaller file shares chunks with others. */
  smallBytes: number;
  /** A piece of a file is kept when what lies beside it changes, unless it is smaller. */
  keptBytes: number;
  /** So many smaller chunks in a row (of one file's end, or of all packs) are put together into larger ones. */
  undersizedBytes: number;
  undersizedMax: number;
}

export const chunkSizes: ChunkSizes = {
  // At 40 Mbit/s two seconds: what is lost with a connection. Four of them at once are no burden to memory.
  chunkBytes: 8 * mib,
  // A log below this is sent whole each time; a directory of 50,000 larger files meets the limit of a generation.
  smallBytes: mib,
  keptBytes: 256 * kib,
  // 16 × 2 MiB: what appending a little can cost at most, once in 16 times.
  undersizedBytes: 2 * mib,
  undersizedMax: 16,
};
