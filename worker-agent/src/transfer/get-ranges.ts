/**
 * One large object into one open file, in ranges that come at once, each written at its offset. The first range tells which
 * object it is (ETag, size); the others come only of that one (If-Match). When it turns out to have been replaced, everything is
 * begun anew, so no file is ever stitched together from two objects. A range that breaks off is resumed where it broke.
 */
import { forEachBounded } from "./bounded.ts";
import { claimedMd5 } from "./etag.ts";
import { BadAnswer, onDisk, StorageError } from "./failures.ts";
import { type FetchedObject, isReplaced, progressBytes } from "./get-object.ts";
import type { HttpAnswer } from "./http-client.ts";
import type { ObjectReader } from "./object-store.ts";
import { backOff, judge, type Patience } from "./retry.ts";
import { type TargetFile, writeAll } from "./target-file.ts";

const mebibyte = 1024 * 1024;
/** Below, one stream: more would cost round trips and win nothing. */
export const rangesFromBytes = 16 * mebibyte;
/** What a retry costs at most, and what a round trip is lost for. */
const rangeBytes = 8 * mebibyte;

interface Identity {
  etag: string;
  totalBytes: number;
  claimedMd5: string | undefined;
}

interface Range {
  offsetBytes: number;
  endBytes: number;
}

/** @returns undefined when the storage does not serve ranges of one certain object: it must come in one stream. */
export async function getInRanges(
  reader: ObjectReader,
  patience: Patience,
  file: TargetFile,
  atOnce: number,
  signal: AbortSignal,
): Promise<FetchedObject | undefined> {
  for (let failures = 0; ; ) {
    const failed = new AbortController();
    const fetch = { reader, patience, file, signal: AbortSignal.any([signal, failed.signal]) };
    try {
      await onDisk(file.path, file.handle.truncate(0));
      const identity = await getFirst(fetch);
      if (!identity) return undefined;
      await forEachBounded(
        rangesAfterFirst(identity.totalBytes),
        atOnce,
        (range) => getRange(fetch, identity, range),
        (reason) => failed.abort(reason),
      );
      return { sizeBytes: identity.totalBytes, claimedMd5: identity.claimedMd5 };
    } catch (failure) {
      signal.throwIfAborted();
      failures += 1;
      if (failures >= patience.tries || !isReplaced(failure)) throw failure;
    }
    await backOff(failures, patience, signal);
  }
}

interface Fetch {
  reader: ObjectReader;
  patience: Patience;
  file: TargetFile;
  signal: AbortSignal;
}

/** The first range, without knowing of which object. */
async function getFirst({ reader, patience, file, signal }: Fetch): Promise<Identity | undefined> {
  for (let failures = 0; ; ) {
    try {
      return await reader.read({ offsetBytes: 0, endBytes: rangeBytes }, signal, async (answer) => {
        const etag = answer.header("etag");
        // A weak one does not promise the same bytes, and If-Match never finds it.
        if (answer.status !== 206 || !etag || etag.startsWith("W/")) return undefined;
        const { start, end, totalBytes } = contentRange(answer);
        if (start !== 0 || end !== Math.min(rangeBytes, totalBytes) - 1)
          throw new BadAnswer(`asked for the first ${rangeBytes} bytes, got those from ${start} to ${end}`);
        await write(answer, file, { offsetBytes: 0, endBytes: end + 1 }, () => undefined);
        return { etag, totalBytes, claimedMd5: claimedMd5(answer) };
      });
    } catch (failure) {
      signal.throwIfAborted();
      // It has become empty meanwhile.
      if (failure instanceof StorageError && failure.status === 416) return undefined;
      failures += 1;
      if (failures >= patience.tries || !judge(failure).retry) throw failure;
    }
    await backOff(failures, patience, signal);
  }
}

async function getRange(
  { reader, patience, file, signal }: Fetch,
  identity: Identity,
  range: Range,
): Promise<void> {
  let { offsetBytes } = range;
  for (let failures = 0; offsetBytes < range.endBytes; ) {
    const rest = { offsetBytes, endBytes: range.endBytes };
    try {
      await reader.read({ ...rest, ifMatch: identity.etag }, signal, async (answer) => {
        const { start, end, totalBytes } = contentRange(answer);
        if (start !== rest.offsetBytes || end !== rest.endBytes - 1 || totalBytes !== identity.totalBytes)
          throw new BadAnswer(`asked for bytes ${rest.offsetBytes} to ${rest.endBytes - 1}, got others`);
        await write(answer, file, rest, (reachedBytes) => {
          offsetBytes = reachedBytes;
        });
      });
      return;
    } catch (failure) {
      signal.throwIfAborted();
      if (offsetBytes - rest.offsetBytes >= progressBytes) failures = 0;
      failures += 1;
      if (failures >= patience.tries || !judge(failure).retry) throw failure;
    }
    await backOff(failures, patience, signal);
  }
}

async function write(
  answer: HttpAnswer,
  file: TargetFile,
  { offsetBytes, endBytes }: Range,
  onReached: (offsetBytes: number) => void,
): Promise<void> {
  let position = offsetBytes;
  for await (const chunk of answer.chunks()) {
    if (position + chunk.byteLength > endBytes)
      throw new BadAnswer("the storage sent more than was asked for");
    await writeAll(file, chunk, position);
    position += chunk.byteLength;
    onReached(position);
  }
  if (position !== endBytes)
    throw new BadAnswer(`the storage sent ${position - offsetBytes} of ${endBytes - offsetBytes} bytes`);
}

function contentRange(answer: HttpAnswer): { start: number; end: number; totalBytes: number } {
  const range = answer.header("content-range");
  const [, start, end, total] = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(range ?? "") ?? [];
  if (answer.status !== 206 || start === undefined)
    throw new BadAnswer(`asked for a range, got status ${answer.status} with "${range}"`);
  return { start: Number(start), end: Number(end), totalBytes: Number(total) };
}

function rangesAfterFirst(totalBytes: number): Range[] {
  const ranges: Range[] = [];
  for (let offsetBytes = rangeBytes; offsetBytes < totalBytes; offsetBytes += rangeBytes)
    ranges.push({ offsetBytes, endBytes: Math.min(offsetBytes + rangeBytes, totalBytes) });
  return ranges;
}
