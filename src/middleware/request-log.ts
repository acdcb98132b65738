import type { MiddlewareHandler } from "hono";
import { ApiError } from "./api-error.ts";
import type { AppEnv } from "./app-env.ts";
import { describeError, log } from "./log.ts";

/**
 * One line for each request that was not answered with 2xx; an unexpected error is told in full. The path goes
 * without its query, which may carry ids of machines.
 */
export const requestLog: MiddlewareHandler<AppEnv> = async (c, next) => {
  const startMs = Date.now();
  await next();
  const { status } = c.res;
  if (status < 300) return;
  const unexpected = c.error !== undefined && !(c.error instanceof ApiError);
  log(status >= 500 ? (status === 503 ? "warning" : "error") : "info", "request", {
    method: c.req.method,
    path: c.req.path,
    status,
    ms: Date.now() - startMs,
    userId: c.var.principal?.userId,
    ...(unexpected && status >= 500 ? { error: describeError(c.error) } : {}),
  });
};
