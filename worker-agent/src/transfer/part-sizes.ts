/** How a large file is cut. R2 insists that all parts but the last are of one size. */
import { Refused } from "./failures.ts";

const mebibyte = 1024 * 1024;
/** Below, one PUT: a retry costs less than two more round trips do. */
export const multipartFromBytes = 16 * mebibyte;
/** S3 wants at least 5 MiB. 8 MiB: what a retry costs a slow uplink, and the size at which round trips stop to matter. */
const smallestPartBytes = 8 * mebibyte;
const partsMax = 10_000;
/** The largest part that R2 takes; AWS's own bound is a little higher. */
const largestPartBytes = 5 * 1024 * mebibyte - 5 * mebibyte;

export interface Part {
  number: number;
  offsetBytes: number;
  lengthBytes: number;
}

export function partSizeBytes(fileBytes: number): number {
  const needed = Math.ceil(fileBytes / partsMax / mebibyte) * mebibyte;
  const size = Math.max(smallestPartBytes, needed);
  if (size > largestPartBytes) throw new Refused(`${fileBytes} bytes are more than an object can hold`);
  return size;
}

export function partsOf(fileBytes: number): Part[] {
  const size = partSizeBytes(fileBytes);
  return Array.from({ length: Math.ceil(fileBytes / size) }, (_, index) => ({
    number: index + 1,
    offsetBytes: index * size,
    lengthBytes: Math.min(size, fileBytes - index * size),
  }));
}
