/** One call of the API: bounded in time and size, its answer checked against the contract, its failure a value. */
import type { z } from "zod";
import { parseJson } from "../parse-json.ts";
import { unlessAborted } from "../pause.ts";
import { bodyOf, readTextAtMost } from "../read-text.ts";
import { version } from "../version.ts";
import { type Credentials, fixedCredentials } from "./credentials.ts";
import { type Answer, classifyError, classifyStatus } from "./fault.ts";

/** The largest answer, 500 signed URLs of managed storage, takes some 2 MB. Longer ones are of something in between, or never end. */
const answerBytesMax = 16 * 1024 * 1024;

export interface Call<T> {
  method: "GET" | "POST" | "PUT";
  path: string;
  query?: Record<string, string | number | undefined>;
  /** Besides those of every call. */
  headers?: Record<string, string>;
  /** Sent as JSON… */
  body?: unknown;
  /** …or as they are. */
  bytes?: Uint8Array;
  answer: z.ZodType<T>;
  timeoutMs: number;
  signal?: AbortSignal;
}

export interface ApiClient {
  call<T>(call: Call<T>): Promise<Answer<T>>;
}

export interface IdentifiedClient extends ApiClient {
  /** What proves who we are, for what is not a call: the socket. */
  readonly credentials: Credentials;
}

/**
 * A client for one API with one identity. `credentials`: headers that stand, or where they are to be had. Those that the API refuses are had
 * anew once, and the call is repeated with them.
 */
export function createApiClient(
  baseUrl: string,
  credentials: Credentials | Record<string, string>,
): IdentifiedClient {
  const proof = isProvider(credentials) ? credentials : fixedCredentials(credentials);
  return {
    credentials: proof,
    async call(call) {
      const timeout = AbortSignal.timeout(call.timeoutMs);
      const signal = call.signal ? AbortSignal.any([timeout, call.signal]) : timeout;
      const told = await unlessAborted(proof.headers(), signal);
      if (!told?.ok) {
        return { ok: false, fault: "lost", message: told?.message ?? "no credentials in time" };
      }
      const answer = await send(baseUrl, call, told.headers, signal);
      if (answer.ok || answer.fault !== "unauthorized") return answer;
      if (!(await unlessAborted(proof.refused(told.headers), signal))) return answer;
      const renewed = await unlessAborted(proof.headers(), signal);
      return renewed?.ok ? send(baseUrl, call, renewed.headers, signal) : answer;
    },
  };
}

const isProvider = (credentials: Credentials | Record<string, string>): credentials is Credentials =>
  typeof credentials.refused === "function";

async function send<T>(
  baseUrl: string,
  { method, path, query = {}, headers: own, body, bytes, answer }: Call<T>,
  credentials: Record<string, string>,
  signal: AbortSignal,
): Promise<Answer<T>> {
  const url = new URL(`${baseUrl}${path}`);
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) url.searchParams.set(name, String(value));
  }
  const headers = {
    ...own,
    ...credentials,
    "User-Agent": `kelpie-agent/${version}`,
    Accept: "application/json",
  };
  try {
    const response = await fetch(url, {
      method,
      headers: body === undefined ? headers : { ...headers, "Content-Type": "application/json" },
      body: body === undefined ? (bytes as Uint8Array<ArrayBuffer> | undefined) : JSON.stringify(body),
      // A followed redirect turns POST into GET and may carry the key elsewhere.
      redirect: "manual",
      signal,
    });
    const text = await readTextAtMost(bodyOf(response), answerBytesMax);
    const json = text === undefined ? undefined : parseJson(text);
    if (!response.ok) return classifyStatus(response.status, json);
    const parsed = answer.safeParse(json);
    if (parsed.success) return { ok: true, value: parsed.data };
    const where = parsed.error.issues[0];
    const what =
      text === undefined ? `over ${answerBytesMax} bytes` : `${where?.path.join(".")} ${where?.message}`;
    const message = `unexpected answer of ${method} ${path}: ${what}`;
    // Not JSON at all was said by something in between; JSON of another shape by an API of another version.
    return { ok: false, fault: json === undefined ? "lost" : "invalid", message };
  } catch (error) {
    return classifyError(error);
  }
}
