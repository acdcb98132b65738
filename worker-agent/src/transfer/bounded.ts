/**
 * Bounds on what goes on at once. A home computer's uplink is shared fairly by few streams, badly by hundreds.
 */

/** At most `capacity` pieces of work at once; the rest wait in the order they came. */
export class Slots {
  #free: number;
  readonly #waiting: Array<() => void> = [];

  constructor(capacity: number) {
    this.#free = capacity;
  }

  /** Runs `work` in a slot. Rejects with the signal's reason when that aborts while waiting for one. */
  async run<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    await this.#acquire(signal);
    try {
      signal.throwIfAborted();
      return await work();
    } finally {
      this.#release();
    }
  }

  #acquire(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#free > 0) {
      this.#free -= 1;
      return Promise.resolve();
    }
    return new Promise((resolve, reject) => {
      const granted = () => {
        signal.removeEventListener("abort", aborted);
        resolve();
      };
      const aborted = () => {
        this.#waiting.splice(this.#waiting.indexOf(granted), 1);
        reject(signal.reason);
      };
      this.#waiting.push(granted);
      signal.addEventListener("abort", aborted, { once: true });
    });
  }

  /** Hands the slot straight to the next in line, so that no newcomer can overtake it. */
  #release(): void {
    const next = this.#waiting.shift();
    if (next) next();
    else this.#free += 1;
  }
}

/** One piece of work per name at a time: two transfers of one key would race for who is last. */
export class Turns {
  readonly #last = new Map<string, Promise<void>>();

  /** Rejects with the signal's reason when that aborts before the turn has come. */
  async run<T>(name: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(name) ?? Promise.resolve();
    const turn = Promise.withResolvers<void>();
    this.#last.set(name, turn.promise);
    try {
      await orAborted(before, signal);
      return await work();
    } finally {
      // Whoever gives up waiting leaves the order as it was: the next one still follows the one before.
      before.then(() => {
        turn.resolve();
        if (this.#last.get(name) === turn.promise) this.#last.delete(name);
      });
    }
  }
}

/** Awaits `work`, or rejects with the signal's reason as soon as that aborts. */
export async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  // Whoever has given up must not be called back, and nobody else is there to take the rejection.
  work.catch(() => {});
  signal.throwIfAborted();
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

/**
 * Runs `work` over all items, `atOnce` at a time and in their order. After the first failure nothing more is
 * started and `stop` is called; it rejects with that failure once everything under way has ended.
 */
export async function forEachBounded<Item>(
  items: Iterable<Item>,
  atOnce: number,
  work: (item: Item) => Promise<void>,
  stop: (reason: unknown) => void,
): Promise<void> {
  const iterator = items[Symbol.iterator]();
  let failure: { reason: unknown } | undefined;
  const lane = async () => {
    for (let next = iterator.next(); !next.done && !failure; next = iterator.next()) {
      try {
        await work(next.value);
      } catch (reason) {
        if (!failure) {
          failure = { reason };
          stop(reason);
        }
      }
    }
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
  if (failure) throw failure.reason;
}
