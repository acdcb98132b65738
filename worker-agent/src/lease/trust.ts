/**
 * Trust: the right of one attempt to cause effects that others can see (design.md, lease protocol, rule 6).
 *
 * Trusted until the lease's term, counted from *sending* the last renewal that succeeded, minus a margin. When it
 * lapses, uploads in flight are aborted and new ones wait; the command runs on, since an outage of the API must not kill
 * a fleet. A later renewal restores it. It ends for good when the API says that the lease is gone, or after a bounded time
 * without trust. What it cannot do: stop bytes that are on the wire already; the API's fence is what makes reports safe.
 */
import type { Clock, Mark } from "../clock.ts";
import type { EffectGate } from "../transfer/ports.ts";

/** Clocks of two machines drift and requests take time to arrive; the larger of the two. */
const marginMinMs = 2_000;
const marginShare = 0.1;

export interface TrustSettings {
  clock: Clock;
  /** How often the clocks are looked at; bounds how long a machine that woke up acts on old trust. */
  tickMs: number;
  /** Awake time without trust after which the attempt is given up. */
  maxUntrustedMs: number;
  /** Told each time trust lapses: a good moment to try a renewal. */
  onLapse?: () => void;
}

/** Why an attempt has lost its lease for good; `ready()` rejects with it and `ended` carries it. */
export class LeaseEnded extends Error {
  override readonly name = "LeaseEnded";
}

export class Trust implements EffectGate {
  readonly #settings: TrustSettings;
  readonly #ended = new AbortController();
  #granted: { sentAt: Mark; trustedMs: number } | undefined;
  #untrustedSince: Mark;
  #effects = new AbortController();
  #regained = Promise.withResolvers<void>();
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(settings: TrustSettings) {
    this.#settings = settings;
    this.#untrustedSince = settings.clock.mark();
    this.#effects.abort(new Error("the lease has not been acknowledged yet"));
    this.#regained.promise.catch(() => undefined); // nobody may be waiting when it rejects
    this.#look();
  }

  /** Aborts, with a LeaseEnded as its reason, once the attempt has lost its lease for good. */
  get ended(): AbortSignal {
    return this.#ended.signal;
  }

  get signal(): AbortSignal {
    return this.#effects.signal;
  }

  async ready(): Promise<void> {
    // A machine may have slept between two ticks: look before answering.
    this.#look();
    this.#ended.signal.throwIfAborted();
    if (!this.#granted) await this.#regained.promise;
  }

  /** A renewal sent at `sentAt` has succeeded for `termMs`. */
  renewed(sentAt: Mark, termMs: number): void {
    if (this.ended.aborted) return;
    this.#granted = { sentAt, trustedMs: termMs - Math.max(marginMinMs, termMs * marginShare) };
    if (this.#effects.signal.aborted && this.#remainingMs() > 0) {
      this.#effects = new AbortController();
      this.#regained.resolve();
    }
    this.#look();
  }

  /** The lease is gone for good. */
  end(reason: string): void {
    if (this.ended.aborted) return;
    const error = new LeaseEnded(reason);
    clearTimeout(this.#timer);
    this.#granted = undefined;
    this.#ended.abort(error);
    this.#effects.abort(error);
    this.#regained.reject(error);
  }

  /** The attempt is over: stops looking at the clocks. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #remainingMs(): number {
    return this.#granted ? this.#granted.trustedMs - this.#granted.sentAt.elapsedMs() : 0;
  }

  #look(): void {
    if (this.#closed || this.ended.aborted) return;
    clearTimeout(this.#timer);
    const remainingMs = this.#remainingMs();
    if (this.#granted && remainingMs <= 0) this.#lapse();
    if (!this.#granted && this.#untrustedSince.awakeMs() >= this.#settings.maxUntrustedMs) {
      this.end(`no renewal succeeded for ${Math.round(this.#settings.maxUntrustedMs / 1000)} s`);
      return;
    }
    // Timers stand still while the machine sleeps, so the next look is never far.
    const nextMs = this.#granted ? Math.min(remainingMs, this.#settings.tickMs) : this.#settings.tickMs;
    this.#timer = setTimeout(() => this.#look(), nextMs);
    this.#timer.unref();
  }

  #lapse(): void {
    this.#granted = undefined;
    this.#untrustedSince = this.#settings.clock.mark();
    if (!this.#effects.signal.aborted) {
      this.#regained = Promise.withResolvers<void>();
      this.#regained.promise.catch(() => undefined); // nobody may be waiting when it rejects
      this.#effects.abort(new Error("the lease could not be renewed in time"));
    }
    this.#settings.onLapse?.();
  }
}
