/** When a directory is cut: pure. Times are monotonic. */

export interface CutTimes {
  quietMs: number;
  /** Between two cuts, at least. */
  minIntervalMs: number;
  /** A directory that never rests is cut after so long. */
  patienceMs: number;
}

export type CutDecision = { cut: "quiet" | "moving" } | { lookAgainMs: number };

export class CutTiming {
  readonly #times: CutTimes;
  #lastCutMs = Number.NEGATIVE_INFINITY;
  /** Since when there has been something to cut. */
  #waitingSinceMs: number | undefined;
  #changedMs = 0;

  constructor(times: CutTimes) {
    this.#times = times;
  }

  /** A look at the directory. `changedMs`: when it last changed, if that was since the look before. */
  looked(isNew: boolean, changedMs: number | undefined, nowMs: number): void {
    if (changedMs !== undefined) this.#changedMs = Math.max(this.#changedMs, Math.min(changedMs, nowMs));
    if (isNew) this.#waitingSinceMs ??= nowMs;
    else this.#waitingSinceMs = undefined;
  }

  /** When a cut may be taken at the earliest, as far as that is known without another look. */
  get notBeforeMs(): number {
    return this.#lastCutMs + this.#times.minIntervalMs;
  }

  decide(nowMs: number): CutDecision {
    if (this.#waitingSinceMs === undefined) return { lookAgainMs: Number.POSITIVE_INFINITY };
    const dueMs = Math.max(this.#waitingSinceMs, this.notBeforeMs);
    const quietFromMs = this.#changedMs + this.#times.quietMs;
    if (nowMs >= Math.max(this.notBeforeMs, quietFromMs)) return { cut: "quiet" };
    const lostPatienceMs = dueMs + this.#times.patienceMs;
    if (nowMs >= lostPatienceMs) return { cut: "moving" };
    return { lookAgainMs: Math.min(lostPatienceMs, Math.max(this.notBeforeMs, quietFromMs)) };
  }

  cutTaken(nowMs: number): void {
    this.#lastCutMs = nowMs;
    this.#waitingSinceMs = undefined;
  }

  /** The cut came to nothing: another one is as urgent as this was. */
  cutLost(): void {
    this.#lastCutMs = Number.NEGATIVE_INFINITY;
  }
}
