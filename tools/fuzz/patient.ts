import { type Answer, call } from "./call.ts";
import type { Sendable } from "./mutate.ts";

const maxPauseMs = 15_000;

/** A 429, or a 503 that passes, is no verdict on the request: it is sent again when it may be. */
export async function callPatiently(url: string, request: Sendable): Promise<Answer> {
  for (let tries = 1; ; tries++) {
    const answer = await call(url, request);
    const mayPass = answer.status === 429 ? tries < 10 : answer.status === 503 && tries < 3;
    if (!mayPass) return answer;
    const seconds = Number(answer.headers["retry-after"] ?? 1);
    await new Promise((done) => setTimeout(done, Math.min(seconds * 1000, maxPauseMs)));
  }
}

/** Of an answer; null: it is no JSON. */
export function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
