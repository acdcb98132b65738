/**
 * Reads what is appended to a file, line by line, looking at no more than its last part however large it is. Whatever the command
 * does with the file is survived: cut it, replace it, write it anew in place, make it a pipe or a directory.
 */
import { constants, type Stats } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";

/** Of one look; what was written before that since the last one is passed over. */
const lookBytes = 256 * 1024;
/** A longer line is none of ours. */
const lineBytes = 8 * 1024;
/** So much of what was read last is compared, to see whether the file was written anew. */
const fingerprintBytes = 256;
const newline = 0x0a;

export class AppendedLines {
  readonly #path: string;
  #offset = 0;
  #inode: number | undefined;
  #mtimeMs: number | undefined;
  /** The bytes right before the offset. */
  #fingerprint = Buffer.alloc(0);
  /** The beginning of a line whose end has not been written. */
  #partial = Buffer.alloc(0);
  /** What comes up to the next newline belongs to a line that is too long, or whose beginning was not read. */
  #skipping = false;

  constructor(path: string) {
    this.#path = path;
  }

  /**
   * The lines that have come since the last call. The last may lack its end yet: it is `rest`, and comes again with it.
   * A file that is not there, or none at all, has no lines.
   */
  async read(): Promise<{ lines: string[]; rest: string }> {
    let file: FileHandle;
    try {
      // Non-blocking: a pipe would else be waited for.
      file = await open(this.#path, constants.O_RDONLY | constants.O_NONBLOCK);
    } catch {
      return { lines: [], rest: "" };
    }
    try {
      const stats = await file.stat();
      if (!stats.isFile()) return { lines: [], rest: "" };
      if (await this.#wasWrittenAnew(file, stats)) this.#begin(0);
      this.#inode = stats.ino;
      this.#mtimeMs = stats.mtimeMs;
      if (stats.size - this.#offset > lookBytes) {
        this.#begin(stats.size - lookBytes);
        this.#skipping = true;
      }
      return this.#linesOf(await readAt(file, this.#offset, stats.size - this.#offset));
    } finally {
      await file.close();
    }
  }

  /** Replaced, cut, or overwritten; what only grew is as it was up to the offset. */
  async #wasWrittenAnew(file: FileHandle, stats: Stats): Promise<boolean> {
    if (this.#inode === undefined) return false;
    if (stats.ino !== this.#inode || stats.size < this.#offset) return true;
    if (stats.mtimeMs === this.#mtimeMs) return false;
    // The same length and another time: nothing was appended, so something else was done.
    if (stats.size === this.#offset) return this.#offset > 0;
    const { length } = this.#fingerprint;
    return !(await readAt(file, this.#offset - length, length)).equals(this.#fingerprint);
  }

  #begin(offset: number): void {
    this.#offset = offset;
    this.#fingerprint = Buffer.alloc(0);
    this.#partial = Buffer.alloc(0);
    this.#skipping = false;
  }

  #linesOf(appended: Buffer): { lines: string[]; rest: string } {
    this.#offset += appended.length;
    this.#fingerprint = Buffer.concat([this.#fingerprint, appended]).subarray(-fingerprintBytes);
    const lines: string[] = [];
    let begin = 0;
    for (let end = appended.indexOf(newline); end >= 0; end = appended.indexOf(newline, begin)) {
      const line = Buffer.concat([this.#partial, appended.subarray(begin, end)]);
      if (!this.#skipping && line.length <= lineBytes) lines.push(line.toString());
      this.#partial = Buffer.alloc(0);
      this.#skipping = false;
      begin = end + 1;
    }
    if (!this.#skipping) this.#partial = Buffer.concat([this.#partial, appended.subarray(begin)]);
    if (this.#partial.length > lineBytes) {
      this.#partial = Buffer.alloc(0);
      this.#skipping = true;
    }
    return { lines, rest: this.#partial.toString() };
  }
}

async function readAt(file: FileHandle, offset: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  let read = 0;
  while (read < length) {
    const { bytesRead } = await file.read(buffer, read, length - read, offset + read);
    if (bytesRead === 0) break;
    read += bytesRead;
  }
  return buffer.subarray(0, read);
}
