/**
 * The state file that job scripts read, for example to wait for their uploads. Rewritten on every change, changes
 * that come while it is being written together; each version is whole: written beside and renamed into place.
 */
import { rename, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { type Log, reasonOf } from "./log.ts";
import { makeDirectory } from "./make-directory.ts";
import { pause } from "./pause.ts";
import { temporaryOf } from "./state-file-place.ts";

/** A file that takes so long to put into words is long… */
const longMs = 5;
/** …and is not begun again before so many times as long. */
const restShare = 10;

/** Ended jobs beyond these are forgotten: an agent may run for months. */
const endedJobsMax = 100;

export interface JobState {
  id: string;
  /** That runs it; 0 for the first. */
  slot: number;
  status: "running" | "completed" | "failed";
  /** Times: ISO 8601. */
  start: string;
  exitTime?: string;
  /** 128 + its number when a signal ended the command, as a shell would say. */
  exitCode?: number;
  end?: string;
  activeUploads: string[];
  activeDownloads: string[];
}

export class StateFile {
  readonly #path: string;
  readonly #log: Log;
  readonly #start = new Date().toISOString();
  #jobs: JobState[] = [];
  #dirty = false;
  #writing: Promise<void> | undefined;

  constructor(path: string, log: Log) {
    this.#path = path;
    this.#log = log;
  }

  /** Adds a job; an earlier attempt of the same job is forgotten, since scripts look it up by id. */
  begin(id: string, slot = 0): JobState {
    const job: JobState = {
      id,
      slot,
      status: "running",
      start: new Date().toISOString(),
      activeUploads: [],
      activeDownloads: [],
    };
    const surplus = this.#jobs.filter((other) => other.end).slice(0, -(endedJobsMax - 1));
    this.#jobs = this.#jobs.filter((other) => other.id !== id && !surplus.includes(other));
    this.#jobs.push(job);
    this.changed();
    return job;
  }

  /** Something in a JobState was changed: write it soon. */
  changed(): void {
    this.#dirty = true;
    this.#writing ??= this.#write();
  }

  /** Resolves once all changes so far are on disk. */
  async written(): Promise<void> {
    while (this.#writing) await this.#writing;
  }

  async #write(): Promise<void> {
    const temporary = temporaryOf(this.#path);
    while (this.#dirty) {
      this.#dirty = false;
      try {
        await makeDirectory(dirname(this.#path));
        const beganMs = performance.now();
        const text = JSON.stringify({ start: this.#start, jobs: this.#jobs }, null, 2);
        const tookMs = performance.now() - beganMs;
        await writeFile(temporary, text);
        await rename(temporary, this.#path);
        // With a hundred thousand active uploads this is work, and it must not be all that the agent does.
        if (tookMs > longMs) await pause(tookMs * restShare);
      } catch (error) {
        // A full disk must not end a job that could do without this file.
        this.#log.warn("state file not written", { reason: reasonOf(error) });
      }
    }
    this.#writing = undefined;
  }
}
