/**
 * One object into one open file, and a look whether it arrived as it was stored. Where its ETag claims to be an MD5, the file is
 * read once more and compared: what was kept in bad memory on the way, or cut and mended by a proxy, has another.
 */
import { BadAnswer } from "./failures.ts";
import { fileRange } from "./file-body.ts";
import { hashed } from "./file-content.ts";
import { type FetchedObject, getObject } from "./get-object.ts";
import { getInRanges, rangesFromBytes } from "./get-ranges.ts";
import type { ObjectReader } from "./object-store.ts";
import type { SharedBounds } from "./shared-bounds.ts";
import type { TargetFile } from "./target-file.ts";

/** Downloads of one object before it is given up. */
const fetchesMax = 3;

/** @returns the object's size. */
export async function fetchVerified(
  reader: ObjectReader,
  /** An ETag that looks like an MD5 is one. */
  etagsAreMd5: boolean,
  /** `sizeBytes`: as listed; the object may have another by now. */
  file: TargetFile & { sizeBytes: number },
  bounds: SharedBounds,
  signal: AbortSignal,
  onProblem: (problem: string) => void,
): Promise<number> {
  let before: string | undefined;
  for (let fetches = 1; ; fetches += 1) {
    const { sizeBytes, claimedMd5 } = await fetch(reader, file, bounds, signal);
    if (claimedMd5 === undefined) return sizeBytes;
    signal.throwIfAborted();
    const md5 = await hashed(fileRange(file.handle, file.path, { offsetBytes: 0, lengthBytes: sizeBytes }));
    if (md5 === claimedMd5) return sizeBytes;
    const problem = `its content has the MD5 ${md5}, and its ETag is ${claimedMd5}`;
    // The same bytes twice: then it is the ETag that is no MD5, whatever it looks like.
    if (!etagsAreMd5 && md5 === before) {
      onProblem(`${problem}, twice: taken as it is`);
      return sizeBytes;
    }
    if (fetches === fetchesMax) throw new BadAnswer(`downloaded ${fetches} times, and ${problem}`);
    onProblem(`${problem}; downloading it again`);
    before = md5;
  }
}

async function fetch(
  reader: ObjectReader,
  file: TargetFile & { sizeBytes: number },
  { patience, concurrentRequests }: SharedBounds,
  signal: AbortSignal,
): Promise<FetchedObject> {
  const fetched =
    file.sizeBytes >= rangesFromBytes
      ? await getInRanges(reader, patience, file, concurrentRequests, signal)
      : undefined;
  return fetched ?? (await getObject(reader, patience, file, signal));
}
