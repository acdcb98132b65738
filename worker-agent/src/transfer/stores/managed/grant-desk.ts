/**
 * Where the transfers of one attempt ask for URLs. Wishes that come together within a few milliseconds go to the API in one
 * call. Nothing is asked for in advance: a grant is for a request that waits for it, and one that was not used within half
 * of its time is thrown away, since it may expire on the way.
 */
import { type Grant, type GrantRequest, Grants } from "../../../../../src/contract/index.ts";
import { orAborted } from "../../bounded.ts";
import { BadAnswer, StorageError } from "../../failures.ts";
import type { LeaseCalls } from "./lease-calls.ts";

/** Answers stay small, and a node that dies leaves few URLs behind. */
const batchMax = 100;
/** Longer than the event loop takes to start what starts together; far below the round trip that it saves. */
const gatherMs = 3;

export interface HeldGrant extends Grant {
  /** Monotonic: when the request for it was sent. */
  askedMs: number;
}

interface Wish {
  request: GrantRequest;
  signal: AbortSignal;
  granted: PromiseWithResolvers<HeldGrant>;
}

export function isFresh({ askedMs, expires_seconds }: HeldGrant): boolean {
  return performance.now() - askedMs < (expires_seconds * 1000) / 2;
}

export class GrantDesk {
  readonly #calls: LeaseCalls;
  #waiting: Wish[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(calls: LeaseCalls) {
    this.#calls = calls;
  }

  /** @throws what LeaseCalls throws; the signal's reason when that aborts first. */
  ask(request: GrantRequest, signal: AbortSignal): Promise<HeldGrant> {
    const wish = { request, signal, granted: Promise.withResolvers<HeldGrant>() };
    this.#waiting.push(wish);
    if (this.#waiting.length >= batchMax) this.#send();
    else this.#timer ??= setTimeout(() => this.#send(), gatherMs);
    return orAborted(wish.granted.promise, signal);
  }

  #send(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const wishes = this.#waiting.filter(({ signal }) => !signal.aborted);
    this.#waiting = [];
    if (wishes.length > 0) void this.#grant(wishes);
  }

  async #grant(wishes: Wish[]): Promise<void> {
    const askedMs = performance.now();
    const wanted = new StillWanted(wishes);
    try {
      const { grants } = await this.#calls.call({
        path: "/storage/grants",
        body: { requests: wishes.map(({ request }) => request) },
        answer: Grants,
        signal: wanted.signal,
      });
      if (grants.length !== wishes.length) throw new BadAnswer("the API granted another number of URLs");
      for (const [index, grant] of grants.entries()) wishes[index]?.granted.resolve({ ...grant, askedMs });
    } catch (failure) {
      // One wish that the API does not take must not spoil those that happened to come with it.
      const alone = failure instanceof StorageError && wishes.length > 1;
      for (const wish of wishes) {
        if (alone) void this.#grant([wish]);
        else wish.granted.reject(failure);
      }
    } finally {
      wanted.release();
    }
  }
}

/** Aborts once nobody waits for any of the wishes any more. */
class StillWanted {
  readonly #abort = new AbortController();
  readonly #signals: AbortSignal[];
  #count: number;
  readonly #gone = () => {
    this.#count -= 1;
    if (this.#count === 0) this.#abort.abort(new Error("nobody waits for these grants any more"));
  };

  constructor(wishes: Wish[]) {
    this.#signals = wishes.map(({ signal }) => signal);
    this.#count = wishes.length;
    for (const signal of this.#signals) signal.addEventListener("abort", this.#gone, { once: true });
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  release(): void {
    for (const signal of this.#signals) signal.removeEventListener("abort", this.#gone);
  }
}
