/**
 * Which failures of D1, R2 and Durable Objects pass by themselves. The one place that decides: callers answer 503
 * to these and 500 to everything else. A transient write may have been applied all the same.
 */

/**
 * What Cloudflare's documentation lists under "retryable" for D1 and Durable Objects (D1 tells them apart by text
 * only); SQL errors (syntax, constraints, limits) are not among them.
 */
const transientTexts = [
  /overloaded/i,
  /network connection lost/i,
  /transient issue/i,
  /caused object to be reset/i,
  /reset because its code was updated/i,
  /exceeded its (memory|cpu time) limit/i,
  /exceeded timeout/i,
  /internal error while starting up/i,
  /durable object.*(reset|no longer accessible)/i,
  // R2's numbers: internal error, service unavailable, too many requests (one write a second to one key).
  /\((10001|10043|10058)\)$/,
];

/** How far to follow `cause`: drivers wrap once or twice. */
const maxCauses = 4;

/** Whether asking again soon may succeed. */
export function isTransient(error: unknown): boolean {
  let current = error;
  for (let depth = 0; depth < maxCauses && current instanceof Error; depth++) {
    const { message } = current;
    // Durable Objects mark their own errors.
    if ("retryable" in current && current.retryable === true) return true;
    if ("overloaded" in current && current.overloaded === true) return true;
    if (transientTexts.some((text) => text.test(message))) return true;
    current = current.cause;
  }
  return false;
}
