/** One call of the API: bounded in time, its answer checked against the contract, its failure a value. */
import type { z } from "zod";
import { version } from "../version.ts";
import { type Answer, classifyError, classifyStatus } from "./fault.ts";

export interface Call<T> {
  method: "GET" | "POST";
  path: string;
  query?: Record<string, string | number | undefined>;
  body?: unknown;
  answer: z.ZodType<T>;
  timeoutMs: number;
  signal?: AbortSignal;
}

export interface ApiClient {
  call<T>(call: Call<T>): Promise<Answer<T>>;
}

/** A client for one API with one identity. `credentials` are sent as headers on every call. */
export function createApiClient(baseUrl: string, credentials: Record<string, string>): ApiClient {
  const headers = { ...credentials, "User-Agent": `kelpie-agent/${version}`, Accept: "application/json" };
  return {
    async call({ method, path, query = {}, body, answer, timeoutMs, signal }) {
      const url = new URL(`${baseUrl}${path}`);
      for (const [name, value] of Object.entries(query)) {
        if (value !== undefined) url.searchParams.set(name, String(value));
      }
      const timeout = AbortSignal.timeout(timeoutMs);
      try {
        const response = await fetch(url, {
          method,
          headers: body === undefined ? headers : { ...headers, "Content-Type": "application/json" },
          body: body === undefined ? undefined : JSON.stringify(body),
          // A followed redirect turns POST into GET and may carry the key elsewhere.
          redirect: "manual",
          signal: signal ? AbortSignal.any([timeout, signal]) : timeout,
        });
        const json = parseJson(await response.text());
        if (!response.ok) return classifyStatus(response.status, json);
        const parsed = answer.safeParse(json);
        if (parsed.success) return { ok: true, value: parsed.data };
        const where = parsed.error.issues[0];
        const message = `unexpected answer of ${method} ${path}: ${where?.path.join(".")} ${where?.message}`;
        // Not JSON at all was said by something in between; JSON of another shape by an API of another version.
        return { ok: false, fault: json === undefined ? "lost" : "invalid", message };
      } catch (error) {
        return classifyError(error);
      }
    },
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // an HTML page of something between us and the API
  }
}
