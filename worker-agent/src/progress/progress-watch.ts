/**
 * Follows the file to which a command tells its progress. Watching the directory only brings a look forward; where that is not
 * possible, the file is looked at every few seconds all the same. At most one look a second.
 */
import { type FSWatcher, watch } from "node:fs";
import { dirname } from "node:path";
import type { Log } from "../log.ts";
import { pause } from "../pause.ts";
import { AppendedLines } from "./appended-lines.ts";
import type { AttemptProgress } from "./attempt-progress.ts";
import { readProgress } from "./read-progress.ts";

export interface ProgressTimes {
  /** Between two looks, at least. */
  progressGapMs: number;
  /** Without a hint. */
  progressPollMs: number;
}

export class ProgressWatch {
  readonly #lines: AppendedLines;
  readonly #progress: AttemptProgress;
  readonly #log: Log;
  readonly #over = new AbortController();
  readonly #watcher: FSWatcher | undefined;
  #hint = new AbortController();
  #looks: Promise<void> = Promise.resolve();
  #hasWarned = false;

  constructor(path: string, progress: AttemptProgress, log: Log, times: ProgressTimes) {
    this.#lines = new AppendedLines(path);
    this.#progress = progress;
    this.#log = log;
    this.#watcher = this.#watch(dirname(path));
    void this.#run(times);
  }

  /** Reads now what is there to be read. */
  look(): Promise<void> {
    this.#looks = this.#looks.then(() => this.#look());
    return this.#looks;
  }

  /** The command has ended: one last look. */
  async end(): Promise<void> {
    this.#over.abort();
    this.#watcher?.close();
    await this.look();
  }

  async #run({ progressGapMs, progressPollMs }: ProgressTimes): Promise<void> {
    while (!this.#over.signal.aborted) {
      await pause(progressPollMs, AbortSignal.any([this.#hint.signal, this.#over.signal]));
      if (this.#over.signal.aborted) return;
      this.#hint = new AbortController();
      await this.look();
      await pause(progressGapMs, this.#over.signal);
    }
  }

  #watch(directory: string): FSWatcher | undefined {
    try {
      const watcher = watch(directory, { persistent: false }, () => this.#hint.abort());
      watcher.on("error", () => watcher.close());
      return watcher;
    } catch {
      return undefined; // the looks find what it would have told of
    }
  }

  async #look(): Promise<void> {
    try {
      const { lines, rest } = await this.#lines.read();
      for (const line of lines) {
        if (line.trim() !== "") this.#read(line, true);
      }
      // A line without its end may be whole all the same; if it is not, it comes again.
      if (rest !== "") this.#read(rest, false);
    } catch (error) {
      this.#warn(`the progress file cannot be read: ${error}`);
    }
  }

  #read(line: string, isWhole: boolean): void {
    const read = readProgress(line);
    if (read.ok) this.#progress.told(read.progress);
    else if (isWhole) this.#warn(read.reason);
  }

  /** Once: a command that does not know the form would fill the log. What it wrote is not quoted, it may be anything. */
  #warn(reason: string): void {
    if (this.#hasWarned) return;
    this.#hasWarned = true;
    this.#log.warn("a line of the progress file is no progress; such lines are ignored", { reason });
  }
}
