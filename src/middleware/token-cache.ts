/**
 * Tokens already looked up, by hash, per isolate: keeps D1 off the hot path. The price: a revoked token works for up
 * to `knownMs` more in isolates that have seen it.
 */
import type { Principal } from "./app-env.ts";

/** The bound that issue and documentation promise for revocation. */
const knownMs = 60_000;
/** Long enough to stop a client that retries a wrong token, short enough not to annoy one who just made it. */
const unknownMs = 3_000;
/** About 300 bytes each: 3 MB of an isolate's 128. */
const maxEntries = 10_000;

export class TokenCache {
  readonly #entries = new Map<string, { principal: Principal | null; untilMs: number }>();

  /** `undefined`: ask D1. `null`: known to be invalid. */
  get(hash: string, nowMs: number): Principal | null | undefined {
    const entry = this.#entries.get(hash);
    return entry && nowMs < entry.untilMs ? entry.principal : undefined;
  }

  set(hash: string, principal: Principal | null, nowMs: number): void {
    // A Map iterates in insertion order, and entries are re-inserted when they expire: the first is the stalest.
    this.#entries.delete(hash);
    const stalest = this.#entries.size >= maxEntries ? this.#entries.keys().next().value : undefined;
    if (stalest !== undefined) this.#entries.delete(stalest);
    this.#entries.set(hash, { principal, untilMs: nowMs + (principal ? knownMs : unknownMs) });
  }

  clear(): void {
    this.#entries.clear();
  }
}
