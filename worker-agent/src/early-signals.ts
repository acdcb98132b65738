/** Signals to stop, from the process's first moment on: kept until somebody listens. Imports nothing, to be there early. */
type StopSignal = "SIGTERM" | "SIGINT";

export class EarlySignals {
  readonly #kept: StopSignal[] = [];
  #listener: ((signal: StopSignal) => void) | undefined;

  constructor() {
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      process.on(signal, () => {
        if (this.#listener) this.#listener(signal);
        else this.#kept.push(signal);
      });
    }
  }

  /** Hands over each signal received, past and future, once. */
  listen(listener: (signal: StopSignal) => void): void {
    this.#listener = listener;
    for (const signal of this.#kept.splice(0)) listener(signal);
  }
}
