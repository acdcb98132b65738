/** The open file that a download is written to. */
import type { FileHandle } from "node:fs/promises";
import { onDisk } from "./failures.ts";

export interface TargetFile {
  handle: FileHandle;
  path: string;
}

export async function writeAll(file: TargetFile, chunk: Uint8Array, offsetBytes: number): Promise<void> {
  for (let done = 0; done < chunk.byteLength; ) {
    const { bytesWritten } = await onDisk(
      file.path,
      file.handle.write(chunk, done, chunk.byteLength - done, offsetBytes + done),
    );
    done += bytesWritten;
  }
}
