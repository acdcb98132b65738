/** What is known for a while, in a bounded number of entries: the one set longest ago gives way. */
export class ExpiringCache<Value extends NonNullable<unknown>> {
  readonly #entries = new Map<string, { value: Value; untilMs: number }>();
  readonly #maxEntries: number;

  constructor(maxEntries: number) {
    this.#maxEntries = maxEntries;
  }

  /** `undefined`: nothing is known, or no longer. */
  get(key: string, nowMs: number): Value | undefined {
    const entry = this.#entries.get(key);
    return entry && nowMs < entry.untilMs ? entry.value : undefined;
  }

  /** Known until just before `untilMs`. */
  set(key: string, value: Value, untilMs: number): void {
    // A Map iterates in insertion order, and entries are re-inserted when they are set again: the first is the stalest.
    this.#entries.delete(key);
    const stalest = this.#entries.size >= this.#maxEntries ? this.#entries.keys().next().value : undefined;
    if (stalest !== undefined) this.#entries.delete(stalest);
    this.#entries.set(key, { value, untilMs });
  }

  delete(key: string): void {
    this.#entries.delete(key);
  }

  clear(): void {
    this.#entries.clear();
  }
}
