/**
 * Wishes of one kind that come together go out together: those of a few milliseconds in one call. A wish that nobody waits
 * for any more is left out, and a call that nobody waits for ends.
 */
import { orAborted } from "../../bounded.ts";
import { CallRefused } from "../../failures.ts";

export interface BatcherSettings<Item, Result> {
  max: number;
  /** One call. Its results are in the items' order. */
  run(items: Item[], signal: AbortSignal): Promise<Result[]>;
}

interface Wish<Item, Result> {
  item: Item;
  signal: AbortSignal;
  result: PromiseWithResolvers<Result>;
}

/** Longer than the event loop takes to start what starts together; far below the round trip that it saves. */
const gatherMs = 3;

export class Batcher<Item, Result> {
  readonly #settings: BatcherSettings<Item, Result>;
  #waiting: Wish<Item, Result>[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(settings: BatcherSettings<Item, Result>) {
    this.#settings = settings;
  }

  /** @throws what `run` throws; the signal's reason when that aborts first. */
  ask(item: Item, signal: AbortSignal): Promise<Result> {
    const result = Promise.withResolvers<Result>();
    this.#waiting.push({ item, signal, result });
    if (this.#waiting.length >= this.#settings.max) this.#send();
    else this.#timer ??= setTimeout(() => this.#send(), gatherMs);
    return orAborted(result.promise, signal);
  }

  #send(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const wishes = this.#waiting.filter(({ signal }) => !signal.aborted);
    this.#waiting = [];
    if (wishes.length > 0) void this.#run(wishes);
  }

  async #run(wishes: Wish<Item, Result>[]): Promise<void> {
    const wanted = new StillWanted(wishes.map(({ signal }) => signal));
    try {
      const items = wishes.map(({ item }) => item);
      const results = await this.#settings.run(items, wanted.signal);
      for (const [index, { result }] of wishes.entries()) result.resolve(results[index] as Result);
    } catch (failure) {
      // One wish that the API does not take must not spoil those that happened to come with it.
      const alone = failure instanceof CallRefused && wishes.length > 1;
      for (const wish of wishes) {
        if (alone) void this.#run([wish]);
        else wish.result.reject(failure);
      }
    } finally {
      wanted.release();
    }
  }
}

/** Aborts once all of the signals have; several wishes may share one. */
class StillWanted {
  readonly #abort = new AbortController();
  readonly #open: Set<AbortSignal>;
  readonly #listeners = new Map<AbortSignal, () => void>();

  constructor(signals: AbortSignal[]) {
    this.#open = new Set(signals);
    for (const signal of this.#open) {
      const gone = () => {
        this.#open.delete(signal);
        if (this.#open.size === 0) this.#abort.abort(new Error("nobody waits for this any more"));
      };
      this.#listeners.set(signal, gone);
      signal.addEventListener("abort", gone, { once: true });
    }
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  release(): void {
    for (const [signal, gone] of this.#listeners) signal.removeEventListener("abort", gone);
  }
}
