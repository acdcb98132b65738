/** A range of an upload's source as what a store is given to send. */
import { createHash } from "node:crypto";
import { fileRange } from "./file-body.ts";
import type { ObjectContent } from "./object-store.ts";
import type { UploadSource } from "./upload-source.ts";

export interface FileRange {
  offsetBytes: number;
  lengthBytes: number;
}

/** `beforeLastChunk` is awaited while the storage has nothing to show yet. */
export function contentOf(
  { handle, path }: UploadSource,
  range: FileRange,
  beforeLastChunk?: () => Promise<void>,
): ObjectContent {
  let md5: Promise<string> | undefined;
  return {
    sizeBytes: range.lengthBytes,
    md5() {
      md5 ??= hashed(fileRange(handle, path, range));
      return md5;
    },
    open: (hash) => fileRange(handle, path, { ...range, hash, beforeLastChunk }),
  };
}

/** Chunk by chunk: what else goes on in this process, renewals first of all, comes in between. */
export async function hashed(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  const hash = createHash("md5");
  for await (const chunk of chunks) hash.update(chunk);
  return hash.digest("hex");
}
