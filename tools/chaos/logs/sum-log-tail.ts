/** Follows the jobs' log while it grows: what has come since the last look, and how far each job is. */
import { closeSync, existsSync, fstatSync, openSync, readSync } from "node:fs";
import { parseSumLog } from "../../sum-log.ts";
import { advance, type JobProgress, progressOf } from "../../sum-progress.ts";

export class SumLogTail {
  readonly #path: string;
  #readBytes = 0;
  readonly #progress = new Map<string, JobProgress>();

  constructor(path: string) {
    this.#path = path;
  }

  /** By job id. */
  read(): ReadonlyMap<string, JobProgress> {
    for (const event of parseSumLog(this.#newLines()).events) {
      this.#progress.set(event.job, advance(this.#progress.get(event.job) ?? progressOf([]), event));
    }
    return this.#progress;
  }

  #newLines(): string {
    if (!existsSync(this.#path)) return "";
    const file = openSync(this.#path, "r");
    try {
      const bytes = Buffer.alloc(fstatSync(file).size - this.#readBytes);
      readSync(file, bytes, 0, bytes.length, this.#readBytes);
      // A line that is still being written waits for the next look.
      const whole = bytes.subarray(0, bytes.lastIndexOf("\n") + 1);
      this.#readBytes += whole.length;
      return whole.toString("utf8");
    } finally {
      closeSync(file);
    }
  }
}
