/** What the signals below abort with: the agent has been told to stop. */
export class AgentStopping extends Error {
  override readonly name = "AgentStopping";
  constructor() {
    super("the agent was told to stop");
  }
}

/** Two requests: the first asks the agent to finish in bounded time, the second to hurry. */
export class Shutdown {
  readonly #stopping = new AbortController();
  readonly #hurry = new AbortController();
  readonly #graces = new Set<{ graceMs: number }>();

  /** Aborts when the agent shall claim no more and bring what runs to an end. */
  get stopping(): AbortSignal {
    return this.#stopping.signal;
  }

  /** Aborts when there is no time left for anything but letting go. */
  get hurry(): AbortSignal {
    return this.#hurry.signal;
  }

  /** Call it once per signal received. */
  request(): void {
    if (this.stopping.aborted) this.#hurry.abort(new AgentStopping());
    else this.#stopping.abort(new AgentStopping());
  }

  /** A command runs that may take so long to end once told to; until the returned function is called. */
  expectGrace(graceMs: number): () => void {
    const grace = { graceMs };
    this.#graces.add(grace);
    return () => this.#graces.delete(grace);
  }

  /** Of the commands that run now; 0 when none does. */
  get longestGraceMs(): number {
    return Math.max(0, ...[...this.#graces].map(({ graceMs }) => graceMs));
  }

  /**
   * A bound on something that may take as long as it likes until the agent stops: then `stoppingMs`, and `hurriedMs` once
   * hurried, each counted from now if the request came earlier. A function is asked when its time begins.
   */
  bound(stoppingMs: number | (() => number), hurriedMs = 0): Bound {
    const bound = new AbortController();
    const timers: NodeJS.Timeout[] = [];
    const abortAfter = (delayMs: number | (() => number)) => () => {
      const ms = typeof delayMs === "number" ? delayMs : delayMs();
      timers.push(setTimeout(() => bound.abort(new AgentStopping()), ms));
    };
    const starts = [
      { when: this.stopping, start: abortAfter(stoppingMs) },
      { when: this.hurry, start: abortAfter(hurriedMs) },
    ];
    for (const { when, start } of starts) {
      if (when.aborted) start();
      else when.addEventListener("abort", start, { once: true });
    }
    return {
      signal: bound.signal,
      release() {
        for (const timer of timers) clearTimeout(timer);
        for (const { when, start } of starts) when.removeEventListener("abort", start);
      },
    };
  }
}

export interface Bound {
  signal: AbortSignal;
  /** What was bounded is over. */
  release(): void;
}
