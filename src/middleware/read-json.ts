import type { MiddlewareHandler } from "hono";
import { ApiError } from "./api-error.ts";
import type { AppEnv } from "./app-env.ts";

/**
 * Reads the body up to a bound and hands it on as JSON, whatever its Content-Type says: old workers and scripts
 * send none, or a wrong one. Over the bound: 413 before anything is parsed, also for bodies of unannounced length.
 * @example createRoute({ middleware: readJson(limits.bodyBytes), … })
 */
export function readJson(limitBytes: number): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    const announced = Number(c.req.header("content-length") ?? 0);
    const body = announced > limitBytes ? null : await readAtMost(c.req.raw.body, limitBytes);
    if (body === null) throw new ApiError("payload_too_large", { what: "body", limitBytes });
    const headers = new Headers(c.req.raw.headers);
    headers.set("content-type", "application/json");
    c.req.raw = new Request(c.req.url, { method: c.req.method, headers, body });
    await next();
  };
}

/** All bytes of a body, or `null` as soon as there are more than the limit. */
async function readAtMost(
  body: ReadableStream<Uint8Array> | null,
  limitBytes: number,
): Promise<Uint8Array | null> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > limitBytes) return null;
    chunks.push(chunk);
  }
  const whole = new Uint8Array(bytes);
  let offset = 0;
  for (const chunk of chunks) {
    whole.set(chunk, offset);
    offset += chunk.byteLength;
  }
  return whole;
}
