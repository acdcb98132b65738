/**
 * Sends what is kept of one stream, part by part and in order: some seconds after something was written, at once when a whole part
 * waits. Nothing waits for it but the attempt's end, and that not for long. Without anything to send it has no timer.
 *
 * No trust is asked for: a part lands under its own attempt whatever becomes of that, and the API refuses it once the lease has ended.
 * An API that keeps no logs, or does not know of them, is told of once and asked no more.
 */
import { limits } from "../../../src/contract/index.ts";
import { type Answer, type Failure, isRetryable } from "../api/fault.ts";
import { backoffMs, pause } from "../pause.ts";
import type { Timings } from "../timings.ts";
import type { KeptStream } from "./kept-stream.ts";

export interface LogSenderSettings {
  timings: Pick<Timings, "logSendMs" | "logRetryFirstMs" | "logRetryCapMs">;
  /** One try. `offset`: bytes of the stream that were sent before. */
  send(offset: number, part: Uint8Array, signal: AbortSignal): Promise<Answer<unknown>>;
  /** Nothing more will be sent. */
  onRefused(failure: Failure): void;
}

export class LogSender {
  readonly #kept: KeptStream;
  readonly #settings: LogSenderSettings;
  readonly #over = new AbortController();
  /** Cuts waiting short: the stream has ended. */
  readonly #hurry = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #sending: Promise<void> | undefined;
  #offset = 0;

  constructor(kept: KeptStream, settings: LogSenderSettings) {
    this.#kept = kept;
    this.#settings = settings;
  }

  /** Nothing is sent any more, whatever comes. */
  get isOver(): boolean {
    return this.#over.signal.aborted;
  }

  /** Something has come to be sent. */
  wake(): void {
    if (this.isOver || this.#sending || this.#kept.waitingBytes === 0) return;
    const isDue = this.#kept.waitingBytes >= limits.logChunkBytes || this.#hurry.signal.aborted;
    if (isDue) this.#start();
    else this.#timer ??= setTimeout(() => this.#start(), this.#settings.timings.logSendMs);
  }

  /** The stream has ended: what is left goes now. Resolves when it has arrived, or nothing more will be sent. */
  async finish(): Promise<void> {
    this.#hurry.abort();
    this.wake();
    while (this.#sending) await this.#sending;
  }

  abandon(): void {
    this.#over.abort();
    clearTimeout(this.#timer);
  }

  #start(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#sending ??= this.#sendAll().finally(() => {
      this.#sending = undefined;
      // What has come meanwhile has its own time.
      this.wake();
    });
  }

  /** Whole parts, and once what is less than that. */
  async #sendAll(): Promise<void> {
    for (let part = this.#kept.part(); part; part = this.#kept.part()) {
      if (!(await this.#sendPart(part))) return this.abandon();
      this.#offset += part.length;
      this.#kept.sent(part.length);
      if (this.#kept.waitingBytes < limits.logChunkBytes && !this.#hurry.signal.aborted) return;
    }
  }

  /** The very same bytes again and again until they have arrived: a try without an answer may have. */
  async #sendPart(part: Buffer): Promise<boolean> {
    const { onRefused, send, timings } = this.#settings;
    const { signal } = this.#over;
    for (let failures = 1; !signal.aborted; failures += 1) {
      const answer = await send(this.#offset, part, signal);
      if (answer.ok) return true;
      if (signal.aborted) return false;
      if (!isRetryable(answer.fault)) {
        onRefused(answer);
        return false;
      }
      const waitMs = backoffMs(failures, timings.logRetryFirstMs, timings.logRetryCapMs);
      // The first try after the end comes at once.
      await pause(
        waitMs,
        failures === 1 || !this.#hurry.signal.aborted
          ? AbortSignal.any([signal, this.#hurry.signal])
          : signal,
      );
    }
    return false;
  }
}
