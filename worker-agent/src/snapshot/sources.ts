/** Where the bytes of a chunk that is to be sent lie on the disk. */
import { readInto, withFile } from "./reading.ts";

export interface Segment {
  /** A file of the staging directory. */
  staged: string;
  offset: number;
  bytes: number;
  /** Relative path of the user's file that this is a link to: its bytes may change under us. */
  file?: string;
}

/** By SHA-256. */
export type Sources = Map<string, Segment[]>;

/** @throws FileDisturbed when there is less than there was. */
export async function readSegments(segments: Segment[]): Promise<Buffer> {
  const buffer = Buffer.allocUnsafeSlow(segments.reduce((sum, { bytes }) => sum + bytes, 0));
  let filled = 0;
  for (const { staged, offset, bytes } of segments) {
    const part = buffer.subarray(filled, filled + bytes);
    await withFile(staged, "r", (handle) => readInto(part, handle, staged, offset));
    filled += bytes;
  }
  return buffer;
}
