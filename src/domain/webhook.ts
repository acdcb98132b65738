/** When a webhook is tried again, and when no more (docs/webhooks.md). Pure. */

const minuteMs = 60_000;
const longestPauseMs = 240 * minuteMs;
/** Of a pause, either way: receivers that came back do not get everything at once. */
const jitterShare = 0.2;
/** From the event on. */
export const deliveryWindowMs = 24 * 60 * minuteMs;

/** What came of a try. */
export type Answer =
  /** `said`: the beginning of an error's body. */
  | { kind: "answered"; status: number; said: string }
  | { kind: "timed_out" }
  | { kind: "unreachable" }
  /** Not sent: the address is not allowed. */
  | { kind: "refused"; problem: string };

export type Fate = { kind: "delivered" } | { kind: "abandoned" } | { kind: "again"; dueMs: number };

/** `random`: 0 ≤ x < 1. `tries`: with the one that was answered so. */
export function fateOf(
  answer: Answer,
  delivery: { tries: number; createdMs: number },
  nowMs: number,
  random: number,
): Fate {
  if (answer.kind === "refused") return { kind: "abandoned" };
  if (answer.kind === "answered") {
    if (answer.status >= 200 && answer.status < 300) return { kind: "delivered" };
    // Gone: the receiver asks not to be told any more.
    if (answer.status === 410) return { kind: "abandoned" };
  }
  const dueMs = nowMs + pauseMs(delivery.tries, random);
  return dueMs > delivery.createdMs + deliveryWindowMs ? { kind: "abandoned" } : { kind: "again", dueMs };
}

/** 1, 2, 4, … minutes after the first, second, third failure. */
export function pauseMs(tries: number, random: number): number {
  const pause = Math.min(minuteMs * 2 ** Math.min(tries - 1, 20), longestPauseMs);
  return Math.round(pause * (1 - jitterShare + 2 * jitterShare * random));
}

/** Whether the host had better be left alone for a while, whatever else is for it. */
export function hostIsDown(answer: Answer): boolean {
  if (answer.kind === "answered") return answer.status === 429 || answer.status === 503;
  return answer.kind === "timed_out" || answer.kind === "unreachable";
}

/** What went wrong, for the owner; null: nothing. */
export function errorOf(answer: Answer): string | null {
  switch (answer.kind) {
    case "timed_out":
      return "no answer within 10 s";
    case "unreachable":
      return "could not be reached";
    case "refused":
      return answer.problem;
    case "answered": {
      const { status, said } = answer;
      if (status >= 200 && status < 300) return null;
      if (status >= 300 && status < 400) return `answered ${status}: redirects are not followed`;
      return said === "" ? `answered ${status}` : `answered ${status}: ${said}`;
    }
  }
}
