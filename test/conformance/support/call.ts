/** Raw HTTP. Every answer is held against the API's own document, where it serves one. */
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import { checkAnswer } from "./openapi.ts";
import { settings } from "./settings.ts";

export interface Answer<T> {
  status: number;
  headers: Headers;
  /** Parsed JSON; undefined for an empty or another body. */
  body: T;
  text: string;
}

export interface CallOptions {
  /** `X-Kelpie-Key`. */
  key?: string;
  headers?: Record<string, string>;
  /** Sent as JSON. */
  body?: unknown;
  /** Sent as it is, without a Content-Type of its own. */
  raw?: string;
  /** Not held against the document: the request is none that a document can speak of. */
  undocumented?: boolean;
}

/** The API may be away for this long before a call counts as hanging. */
const timeoutMs = 60_000;

/** Refused for haste, it waits as long as it is told to: a deployment's abuse guard is no fault. */
export async function call<T = unknown>(
  method: string,
  path: string,
  options: CallOptions = {},
): Promise<Answer<T>> {
  for (let tried = 1; ; tried++) {
    const answer = await callOnce<T>(method, path, options);
    const seconds = Number(answer.headers.get("retry-after"));
    if (answer.status !== 429 || !(seconds > 0 && seconds <= 60) || tried > 3) return answer;
    await sleep(seconds * 1000);
  }
}

async function callOnce<T>(
  method: string,
  path: string,
  { key, headers = {}, body, raw, undocumented = false }: CallOptions,
): Promise<Answer<T>> {
  const sent = raw ?? (body === undefined ? undefined : JSON.stringify(body));
  const response = await fetch(`${settings.url}${path}`, {
    method,
    headers: {
      ...(body === undefined ? {} : { "Content-Type": "application/json" }),
      ...(key === undefined ? {} : { "X-Kelpie-Key": key }),
      ...headers,
    },
    // A Buffer, because a string would bring "text/plain" along.
    body: sent === undefined ? undefined : Buffer.from(sent),
    redirect: "manual",
    signal: AbortSignal.timeout(timeoutMs),
  });
  const text = await response.text();
  const json = (response.headers.get("content-type") ?? "").startsWith("application/json");
  const answer = {
    status: response.status,
    headers: response.headers,
    text,
    body: (json && text !== "" ? JSON.parse(text) : undefined) as T,
  };
  if (!undocumented) checkAnswer(method, path.split("?")[0] as string, answer);
  return answer;
}

/** `{error, message}` with that status. */
export function expectError(answer: Answer<unknown>, status: number): void {
  expect(answer.status, answer.text).toBe(status);
  expect(answer.headers.get("content-type")).toMatch(/^application\/json/);
  expect(answer.body).toMatchObject({
    error: expect.stringMatching(/\S/),
    message: expect.stringMatching(/\S/),
  });
}
