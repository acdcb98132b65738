/**
 * Where the transfers of one attempt ask for URLs. Nothing is hoarded: a grant is for a request that waits
 * for it, or is a few small files away, and one that was not used within half of its time is thrown away, since it may expire on
 * the way.
 */
import { type Grant, type GrantRequest, Grants } from "../../../../../src/contract/index.ts";
import { BadAnswer } from "../../failures.ts";
import { Batcher } from "./batcher.ts";
import type { LeaseCalls } from "./lease-calls.ts";
import { paths } from "./paths.ts";

/** Below the API's own bound: answers stay small, and a node that dies leaves few URLs behind. */
const batchMax = 100;

export interface HeldGrant extends Grant {
  /** Monotonic: when the request for it was sent. */
  askedMs: number;
}

export function isFresh({ askedMs, expires_seconds }: HeldGrant): boolean {
  return performance.now() - askedMs < (expires_seconds * 1000) / 2;
}

export class GrantDesk {
  readonly #batcher: Batcher<GrantRequest, HeldGrant>;

  constructor(calls: LeaseCalls) {
    this.#batcher = new Batcher({ max: batchMax, run: (requests, signal) => ask(calls, requests, signal) });
  }

  /** @throws what LeaseCalls throws; the signal's reason when that aborts first. */
  ask(request: GrantRequest, signal: AbortSignal): Promise<HeldGrant> {
    return this.#batcher.ask(request, signal);
  }
}

async function ask(calls: LeaseCalls, requests: GrantRequest[], signal: AbortSignal): Promise<HeldGrant[]> {
  let askedMs = 0;
  const { grants } = await calls.call({
    path: paths.grants,
    body: { requests },
    answer: Grants,
    signal,
    onSend: () => {
      askedMs = performance.now();
    },
  });
  if (grants.length !== requests.length) throw new BadAnswer("the API granted another number of URLs");
  return grants.map((grant) => ({ ...grant, askedMs }));
}
