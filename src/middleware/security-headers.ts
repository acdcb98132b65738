import type { MiddlewareHandler } from "hono";
import type { AppEnv } from "./app-env.ts";

/**
 * What browsers are told about every answer. It is data: nothing in it is to be run, framed, or taken for another type, which matters most
 * for files that people stored here. Nothing is kept by caches on the way, since nearly everything is for one credential; a route that may
 * be kept says so itself. Set before the answer is made, so that it is made once.
 */
export const securityHeaders: MiddlewareHandler<AppEnv> = (c, next) => {
  c.header("X-Content-Type-Options", "nosniff");
  c.header("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; sandbox");
  c.header("Referrer-Policy", "no-referrer");
  c.header("Cache-Control", "no-store");
  return next();
};
