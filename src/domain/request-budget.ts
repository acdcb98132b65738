/**
 * Requests that may be made of an API that counts them by the minute: a bucket that fills steadily. In any minute, wherever it begins, no
 * more than its size and a minute's filling leave it.
 */

export interface Bucket {
  sizeTokens: number;
  tokensPerSecond: number;
}
/** 50 + 3 × 60 = 230 of the 240 that Salad takes from a key. */
const autoscalers: Bucket = { sizeTokens: 50, tokensPerSecond: 3 };
/** Looks after one user's submissions: no more than 40 in a minute, whatever he submits. A look takes one request, with a step five or so. */
export const submissionsOfOne: Bucket = { sizeTokens: 20, tokensPerSecond: 20 / 60 };
/** The other 10: for the routes, which ask with the same key when a rule is made. */
export const routes: Bucket = { sizeTokens: 5, tokensPerSecond: 5 / 60 };

/**
 * `act`: finishes what has begun. `look`: whoever only looks leaves some for that. `ask`: a person, who may ask without end, leaves some for
 * the minute's looks as well.
 */
export type RequestKind = "ask" | "look" | "act";
const left: Record<RequestKind, number> = { ask: 30, look: 15, act: 0 };
const firstRestMs = 5_000;
const longestRestMs = 60_000;

export interface RequestBudget {
  /** As of `atMs`. */
  tokens: number;
  atMs: number;
  /** Nothing is given out before: the API has said that it is too much. */
  restsUntilMs: number;
  /** How often in a row it has said so. */
  refusals: number;
}

export function newBudget(nowMs: number, { sizeTokens }: Bucket = autoscalers): RequestBudget {
  return { tokens: sizeTokens, atMs: nowMs, restsUntilMs: 0, refusals: 0 };
}

export type Taken = { ok: true; budget: RequestBudget } | { ok: false; waitMs: number };

export function takeRequest(
  budget: RequestBudget,
  what: RequestKind,
  nowMs: number,
  { sizeTokens, tokensPerSecond }: Bucket = autoscalers,
): Taken {
  if (nowMs < budget.restsUntilMs) return { ok: false, waitMs: budget.restsUntilMs - nowMs };
  // A clock that went back fills nothing, and takes nothing away.
  const passedSeconds = Math.max(0, nowMs - budget.atMs) / 1000;
  const tokens = Math.min(sizeTokens, budget.tokens + passedSeconds * tokensPerSecond);
  const needed = 1 + left[what];
  if (tokens < needed) {
    return { ok: false, waitMs: Math.ceil(((needed - tokens) / tokensPerSecond) * 1000) };
  }
  // A whole rest's time without another refusal: that was the last one of a row.
  const refusals = nowMs - budget.restsUntilMs > longestRestMs ? 0 : budget.refusals;
  return { ok: true, budget: { ...budget, tokens: tokens - 1, atMs: nowMs, refusals } };
}

/** The API has refused one as too many: whatever we count, it counts more. */
export function refuseRequest(budget: RequestBudget, nowMs: number): RequestBudget {
  // Several that were under way were all refused for the one reason.
  if (nowMs < budget.restsUntilMs) return budget;
  const restMs = Math.min(longestRestMs, firstRestMs * 2 ** budget.refusals);
  return { tokens: 0, atMs: nowMs + restMs, restsUntilMs: nowMs + restMs, refusals: budget.refusals + 1 };
}
