/** Of what nothing is known. */
export const untriedRate = 1 / 2;

/**
 * What has been seen to work: how often something was done with a thing in the state that an earlier request had left it in. No schema says
 * that only an ended job can be retried, or only a written file be read; the answers do.
 */
export class Experience {
  readonly #seen = new Map<string, Map<string, { good: number; all: number }>>();

  /** `state`: the route that last changed the thing. */
  note(goal: string, state: string, isGood: boolean): void {
    const states = this.#seen.get(goal) ?? new Map<string, { good: number; all: number }>();
    this.#seen.set(goal, states);
    const { good, all } = states.get(state) ?? { good: 0, all: 0 };
    states.set(state, { good: good + (isGood ? 1 : 0), all: all + 1 });
  }

  /** 0 < rate < 1. What was never tried has `untriedRate`, and so gets its try before what has failed. */
  rate(goal: string, state: string): number {
    const { good, all } = this.#seen.get(goal)?.get(state) ?? { good: 0, all: 0 };
    return (good + 1) / (all + 2);
  }

  /** The state in which it has worked best; undefined: in none yet. */
  best(goal: string): string | undefined {
    const worked = [...(this.#seen.get(goal) ?? [])].filter(([, { good }]) => good > 0);
    return worked.sort(([a], [b]) => this.rate(goal, b) - this.rate(goal, a))[0]?.[0];
  }
}
