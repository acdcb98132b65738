/** A range of an open file as the body of a request. */
import type { Hash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import { FileDisturbed, onDisk } from "./failures.ts";

/** Large enough to keep the disk busy, small enough that 16 requests at once stay below 10 MB. */
const chunkBytes = 128 * 1024;

export interface RangeOptions {
  offsetBytes: number;
  lengthBytes: number;
  /** Awaited before the last chunk leaves: while it is held back, the object cannot become visible. */
  beforeLastChunk?: () => Promise<void>;
  /** Sees every chunk. */
  hash?: Hash;
}

/** @throws FileDisturbed when the file ends before the range does. */
export async function* fileRange(
  handle: FileHandle,
  path: string,
  options: RangeOptions,
): AsyncGenerator<Uint8Array> {
  const endBytes = options.offsetBytes + options.lengthBytes;
  for (let position = options.offsetBytes; position < endBytes; ) {
    const wanted = Math.min(chunkBytes, endBytes - position);
    // Never reused: the socket may still hold the chunk before.
    const chunk = Buffer.allocUnsafeSlow(wanted);
    let filled = 0;
    while (filled < wanted) {
      const { bytesRead } = await onDisk(
        path,
        handle.read(chunk, filled, wanted - filled, position + filled),
      );
      if (bytesRead === 0) throw new FileDisturbed(path);
      filled += bytesRead;
    }
    position += wanted;
    options.hash?.update(chunk);
    if (position === endBytes) await options.beforeLastChunk?.();
    yield chunk;
  }
}
