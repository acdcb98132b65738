import type { MiddlewareHandler } from "hono";
import { readTextAtMost } from "../http/read-text.ts";
import { ApiError } from "./api-error.ts";
import type { AppEnv } from "./app-env.ts";

/**
 * Reads the body up to a bound, for JSON that the route's schema checks, whatever its Content-Type says: old workers and
 * scripts send none, or a wrong one. Over the bound: 413 before anything is parsed, also for bodies of unannounced length.
 * @example createRoute({ middleware: readJson(limits.bodyBytes), … })
 */
export function readJson(limitBytes: number): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    const { body, headers } = c.req.raw;
    const announcedBytes = Number(headers.get("content-length") ?? Number.NaN);
    if (announcedBytes > limitBytes) throw new ApiError("payload_too_large", { what: "body", limitBytes });
    // A body ends where it was announced to end, so that one needs no counting, which takes several turns of the event loop.
    const text = announcedBytes >= 0 ? await c.req.raw.text() : await readTextAtMost(body, limitBytes);
    if (text === null) throw new ApiError("payload_too_large", { what: "body", limitBytes });
    c.set("bodyText", text);
    return next();
  };
}
