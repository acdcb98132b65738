/**
 * Which packs (chunks that small files share) are to be filled anew: pure. Files come and go, and a pack stays as long as one of
 * its files does. So a pack of which less than half is still named is given up, its living files are read and packed again:
 * packs hold at most twice the bytes that are named. And once 16 packs are smaller than 2 MiB, those are put together: a
 * thousand files that change one at a time end as few packs.
 */
import type { FileContent } from "./content.ts";
import type { ChunkSizes } from "./sizes.ts";

/** @param small the contents of all small files that are to stay as they are. @returns hashes of packs to give up. */
export function wornPacks(
  small: Iterable<FileContent>,
  { undersizedBytes, undersizedMax }: ChunkSizes,
): Set<string> {
  const packs = new Map<string, { bytes: number; livingBytes: number }>();
  for (const { pieces } of small) {
    for (const { chunk, bytes } of pieces) {
      const pack = packs.get(chunk.sha256) ?? { bytes: chunk.bytes, livingBytes: 0 };
      pack.livingBytes += bytes;
      packs.set(chunk.sha256, pack);
    }
  }
  const worn = new Set<string>();
  for (const [sha256, { bytes, livingBytes }] of packs) if (livingBytes * 2 < bytes) worn.add(sha256);
  const undersized = [...packs].filter(([, { bytes }]) => bytes < undersizedBytes);
  if (undersized.length >= undersizedMax) for (const [sha256] of undersized) worn.add(sha256);
  return worn;
}
