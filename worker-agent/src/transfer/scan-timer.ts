/** When a mirror looks at its directory again. */

export interface ScanTimes {
  debounceMs: number;
  maxWaitMs: number;
}

/** Without hints at most a tenth of the time is spent on scanning, and a scan a second at most. */
const quietShare = 10;
const quietGapMs = 1000;
/** With hints at most a third. */
const hintedShare = 2;
const hintedGapMs = 20;

export class ScanTimer {
  readonly #times: ScanTimes;
  #firstHintMs: number | undefined;
  #lastHintMs = 0;
  #hinted = Promise.withResolvers<void>();

  constructor(times: ScanTimes) {
    this.#times = times;
  }

  /** Something has changed. Hints in quick succession count as one, but not for ever. */
  hint(): void {
    this.#lastHintMs = performance.now();
    this.#firstHintMs ??= this.#lastHintMs;
    this.#hinted.resolve();
  }

  /** To be called as a scan begins: it answers all hints so far. */
  begin(): void {
    this.#firstHintMs = undefined;
    this.#hinted = Promise.withResolvers();
  }

  /** Waits for the time of the next scan; `wishedMs`: somebody wants it then. Returns when `signal` aborts. */
  async rest(scanTookMs: number, wishedMs: number, signal: AbortSignal): Promise<void> {
    const endedMs = performance.now();
    const earliestMs = endedMs + Math.max(hintedGapMs, scanTookMs * hintedShare);
    const latestMs = endedMs + Math.max(quietGapMs, scanTookMs * quietShare);
    while (!signal.aborted) {
      const dueMs = Math.max(earliestMs, Math.min(latestMs, wishedMs, this.#hintedDueMs()));
      const waitMs = dueMs - performance.now();
      if (waitMs <= 0) return;
      const hintWakes = this.#firstHintMs === undefined;
      await this.#wait(waitMs, hintWakes, signal);
    }
  }

  #hintedDueMs(): number {
    if (this.#firstHintMs === undefined) return Number.POSITIVE_INFINITY;
    const { debounceMs, maxWaitMs } = this.#times;
    return Math.min(this.#lastHintMs + debounceMs, this.#firstHintMs + maxWaitMs);
  }

  async #wait(waitMs: number, hintWakes: boolean, signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, waitMs);
    const wake = () => resolve();
    signal.addEventListener("abort", wake, { once: true });
    if (hintWakes) this.#hinted.promise.then(wake);
    await promise;
    clearTimeout(timer);
    signal.removeEventListener("abort", wake);
  }
}
