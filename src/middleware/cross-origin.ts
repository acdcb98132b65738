import type { MiddlewareHandler } from "hono";
import { cors } from "hono/cors";
import type { AppEnv } from "./app-env.ts";

/** Preflights are remembered for a day, browsers' upper bound being less. */
const preflightSeconds = 86_400;

const preflight = cors({
  origin: "*",
  allowMethods: ["GET", "POST", "PUT", "PATCH", "DELETE"],
  maxAge: preflightSeconds,
});

/**
 * Lets pages of any origin call the API: credentials are headers that a page has to know. Hono's own middleware answers the
 * preflights; on all else it would make one more response per request, for two headers.
 */
export const crossOrigin: MiddlewareHandler<AppEnv> = (c, next) => {
  if (c.req.method === "OPTIONS") return preflight(c, next);
  c.header("Access-Control-Allow-Origin", "*");
  return next();
};
