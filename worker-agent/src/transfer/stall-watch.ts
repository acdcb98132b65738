/** Notices a request that moves no byte any more; a slow one never counts as that. */
import { Stalled } from "./failures.ts";

/** Aborts its signal when nothing has moved for a while. */
export class StallWatch {
  readonly #abort = new AbortController();
  #timeoutMs: number;
  #timer: NodeJS.Timeout;

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
    this.#timer = this.#start();
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** From now on the next sign of life may take this long. */
  allow(timeoutMs: number): void {
    clearTimeout(this.#timer);
    this.#timeoutMs = timeoutMs;
    this.#timer = this.#start();
  }

  end(): void {
    clearTimeout(this.#timer);
  }

  /** Passes chunks on; each is a sign of life. Undici pulls the next one only when the socket has drained. */
  async *passing(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of chunks) {
      this.#timer.refresh();
      yield chunk;
    }
    this.#timer.refresh();
  }

  #start(): NodeJS.Timeout {
    return setTimeout(() => this.#abort.abort(new Stalled(this.#timeoutMs)), this.#timeoutMs);
  }
}
