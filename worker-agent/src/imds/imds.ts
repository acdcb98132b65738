/**
 * The node's metadata service (IMDS): one request per question, bounded in time and size, its answer checked, its failure a value.
 * Never by a proxy, whatever the environment says: the service refuses forwarded requests, and a proxy would answer for another node.
 * What is done with the answers: docs/node-metadata.md.
 */
import { Agent, request } from "undici";
import { z } from "zod";
import { reasonOf } from "../log.ts";
import { parseJson } from "../parse-json.ts";
import { pause } from "../pause.ts";

/** Of every node of SaladCloud. */
export const imdsDefaultUrl = "http://169.254.169.254";

/** Salad says at most 1,000 characters; room for what it may add to its tokens, and no more than a header carries. */
const tokenCharsMax = 8_000;
const answerBytesMax = 16 * 1024;
/** Salad's own bound for a reason, which its support reads. */
const reasonCharsMax = 1_000;

export interface ImdsSettings {
  /** May have a path, for tests. Without a final slash. */
  url: string;
  timings: { imdsTimeoutMs: number; imdsTries: number; imdsRetryMs: number };
}

export type ImdsAnswer<T> =
  | { ok: true; value: T }
  /** `status`: of the last answer; absent: there was none. */
  | { ok: false; status?: number; message: string };

export interface Imds {
  /** Whether there is such a service at all. */
  status(signal?: AbortSignal): Promise<ImdsAnswer<ImdsStatus>>;
  /** A token that proves to others which node this is (JWT). It may be handed out again while it is good. */
  token(signal?: AbortSignal): Promise<ImdsAnswer<string>>;
  /** `cost`: 0 to 100,000. Of several instances SaladCloud takes away the one with the lowest first. */
  setDeletionCost(cost: number, signal?: AbortSignal): Promise<ImdsAnswer<undefined>>;
  /** Asks for another node; this one is gone from the organization for 48 hours. The reason is cut at 1,000 characters. */
  reallocate(reason: string, signal?: AbortSignal): Promise<ImdsAnswer<undefined>>;
  /** Asks for a new container on this node. */
  recreate(signal?: AbortSignal): Promise<ImdsAnswer<undefined>>;
}

const ImdsStatus = z.object({ ready: z.boolean(), started: z.boolean() });
export type ImdsStatus = z.infer<typeof ImdsStatus>;

/** As a header carries it. */
const Token = z.object({
  jwt: z
    .string()
    .max(tokenCharsMax)
    .regex(/^[\x21-\x7e]+$/),
});

interface Question<T> {
  method: "GET" | "PUT" | "POST";
  path: string;
  body?: object;
  read(json: unknown): z.ZodSafeParseResult<T>;
}

/** A client of the metadata service at that address. */
export function createImds({ url, timings }: ImdsSettings): Imds {
  // Of its own: the global one may go by a proxy (NODE_USE_ENV_PROXY).
  const dispatcher = new Agent({
    connections: 4,
    allowH2: false,
    maxResponseSize: answerBytesMax,
    connect: { timeout: timings.imdsTimeoutMs },
  });

  async function ask<T>(question: Question<T>, signal?: AbortSignal): Promise<ImdsAnswer<T>> {
    for (let tries = 1; ; tries++) {
      const answer = await askOnce(question, signal);
      const mayRecover = !answer.ok && (answer.status === undefined || answer.status >= 500);
      if (!mayRecover || tries >= timings.imdsTries || signal?.aborted) return answer;
      await pause(timings.imdsRetryMs * tries, signal);
    }
  }

  async function askOnce<T>(question: Question<T>, signal?: AbortSignal): Promise<ImdsAnswer<T>> {
    const { method, path, body, read } = question;
    const timeout = AbortSignal.timeout(timings.imdsTimeoutMs);
    try {
      const response = await request(`${url}${path}`, {
        dispatcher,
        method,
        headers: { Metadata: "true", ...(body && { "Content-Type": "application/json" }) },
        body: body ? JSON.stringify(body) : null,
        signal: signal ? AbortSignal.any([timeout, signal]) : timeout,
      });
      const { statusCode: status } = response;
      const text = await response.body.text();
      if (status < 200 || status > 299) return { ok: false, status, message: `${method} ${path}: ${status}` };
      const parsed = read(parseJson(text));
      if (parsed.success) return { ok: true, value: parsed.data };
      // Names the place and no value: it may be a token.
      const where = parsed.error.issues[0]?.path.join(".") ?? "";
      return { ok: false, status, message: `${method} ${path}: unexpected answer ${where}`.trim() };
    } catch (error) {
      return { ok: false, message: `${method} ${path}: ${reasonOf(error)}` };
    }
  }

  const done = () => ({ success: true, data: undefined }) as const;
  return {
    status: (signal) =>
      ask({ method: "GET", path: "/v1/status", read: (json) => ImdsStatus.safeParse(json) }, signal),
    async token(signal) {
      const read = (json: unknown) => Token.safeParse(json);
      const answer = await ask({ method: "GET", path: "/v1/token", read }, signal);
      return answer.ok ? { ok: true, value: answer.value.jwt } : answer;
    },
    setDeletionCost: (deletion_cost, signal) =>
      ask({ method: "PUT", path: "/v1/deletion-cost", body: { deletion_cost }, read: done }, signal),
    reallocate: (reason, signal) =>
      ask(
        {
          method: "POST",
          path: "/v1/reallocate",
          body: { reason: reason.slice(0, reasonCharsMax) },
          read: done,
        },
        signal,
      ),
    recreate: (signal) => ask({ method: "POST", path: "/v1/recreate", read: done }, signal),
  };
}
