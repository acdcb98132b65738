/** When the API could not be reached by anybody. */
export class Outages {
  readonly #all: { fromMs: number; toMs: number }[] = [];

  add(fromMs: number, toMs: number): void {
    this.#all.push({ fromMs, toMs });
  }

  between(fromMs: number, toMs: number): number {
    let sum = 0;
    for (const outage of this.#all) {
      sum += Math.max(0, Math.min(toMs, outage.toMs) - Math.max(fromMs, outage.fromMs));
    }
    return sum;
  }
}
