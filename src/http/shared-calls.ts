/**
 * One call under way per key and isolate: whoever asks for the same meanwhile waits for the same answer. Requests of one isolate share
 * it, which on Workers has two traps: a call ends with the request that began it unless `keep` (waitUntil) holds it, and one that never
 * settles would be waited for by everybody, hence `within` and the age at which a call is taken for lost.
 */

/** Longer than any call takes; then its request is gone, and the answer with it. */
const lostMs = 30_000;

export type Keep = (call: Promise<unknown>) => void;

export class SharedCalls<Answer> {
  readonly #calls = new Map<string, { answer: Promise<Answer>; startedMs: number }>();

  share(key: string, nowMs: number, keep: Keep, call: () => Promise<Answer>): Promise<Answer> {
    const current = this.#calls.get(key);
    if (current && nowMs - current.startedMs < lostMs) return current.answer;
    const answer = call();
    const entry = { answer, startedMs: nowMs };
    this.#calls.set(key, entry);
    const over = () => {
      if (this.#calls.get(key) === entry) this.#calls.delete(key);
    };
    // A failure is told to those who wait.
    keep(answer.then(over, over));
    return answer;
  }

  isUnderWay(key: string, nowMs: number): boolean {
    const current = this.#calls.get(key);
    return current !== undefined && nowMs - current.startedMs < lostMs;
  }
}

/** The answer, or `undefined` when it takes longer. */
export async function within<Answer>(answer: Promise<Answer>, ms: number): Promise<Answer | undefined> {
  const late = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => late.resolve(undefined), ms);
  try {
    return await Promise.race([answer, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
