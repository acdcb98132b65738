/** So many of something a minute, for each name. */
export class PerMinute {
  /** Of all names. */
  refused = 0;
  readonly #times = new Map<string, number[]>();

  /** Counts one, unless the last minute is full. */
  admit(name: string, limit: number, nowMs: number): boolean {
    const recent = (this.#times.get(name) ?? []).filter((timeMs) => timeMs > nowMs - 60_000);
    const admitted = recent.length < limit;
    if (admitted) recent.push(nowMs);
    else this.refused++;
    this.#times.set(name, recent);
    return admitted;
  }
}
