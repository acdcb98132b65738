/**
 * How an attempt gets on: every renewal tells it, and the stall watch looks at it. Two things are progress: a checkpoint that has arrived
 * where another node finds it, and a step of the command's own that is higher than all before (docs/progress.md).
 */
import type { Progress } from "../../../src/contract/index.ts";

export class AttemptProgress {
  commandStarted = false;
  /** The command has ended, and what is left of the attempt goes up. */
  uploading = false;
  #count = 0;
  #newest: Progress | undefined;
  /** Of this attempt. */
  #highestStep: number | undefined;
  readonly #stepBefore: number;
  readonly #watchers = new Set<() => void>();

  /**
   * `stepBefore`: the step that earlier attempts of the job have told. An attempt that begins by telling where it resumes has not
   * come further by that.
   */
  constructor(stepBefore = 0) {
    this.#stepBefore = stepBefore;
  }

  /** Checkpoints and higher steps so far. */
  get count(): number {
    return this.#count;
  }

  /** The newest that the command has told. */
  get newest(): Progress | undefined {
    return this.#newest;
  }

  /** A checkpoint has arrived. What goes up before the command has started is none. */
  checkpoint(): void {
    if (!this.commandStarted) return;
    this.#count += 1;
    this.#tell();
  }

  /** The command has told where it is. */
  told(progress: Progress): void {
    this.#newest = progress;
    const isFirst = this.#highestStep === undefined;
    if (this.#highestStep !== undefined && progress.step <= this.#highestStep) return;
    this.#highestStep = progress.step;
    if (!isFirst || progress.step > this.#stepBefore) this.#count += 1;
    this.#tell();
  }

  /** Tells of each sign of life from now on: a checkpoint, a first or higher step. The answer ends that. */
  onSign(watcher: () => void): () => void {
    this.#watchers.add(watcher);
    return () => void this.#watchers.delete(watcher);
  }

  #tell(): void {
    for (const watcher of this.#watchers) watcher();
  }
}
