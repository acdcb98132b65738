import type { RouteConfig } from "@hono/zod-openapi";
import type { Context, MiddlewareHandler } from "hono";
import type { ZodType } from "zod";
import { limits } from "../contract/index.ts";
import { ApiError } from "../middleware/api-error.ts";
import type { AppEnv } from "../middleware/app-env.ts";
import { invalidRequest } from "./invalid-request.ts";
import { isNestedDeeper } from "./nesting.ts";

/**
 * Checks a request against its route's schemas, all in one step: what does not match never reaches the handler, which
 * finds the rest under `c.req.valid`. zod-openapi would put a middleware of its own before the handler for each part of the
 * request and one for the media type, and await every schema, though none of ours is asynchronous (docs/performance.md).
 */
export function checkRequest(request: RouteConfig["request"] = {}): MiddlewareHandler<AppEnv> {
  const { query, params, body } = request as Parts;
  const json = body?.content["application/json"]?.schema;
  return (c, next) => {
    if (query) {
      c.req.addValidatedData("query", matching(query, queryOf(c)));
    }
    if (params) {
      const checked = params.safeParse(c.req.param());
      // An id that cannot exist is like any unknown one.
      if (!checked.success) throw new ApiError("not_found", { what: "job" });
      c.req.addValidatedData("param", checked.data as object);
    }
    if (json) {
      c.req.addValidatedData("json", matching(json, bodyOf(c)));
    }
    return next();
  };
}

/** What our routes describe of a request (operation.ts). */
interface Parts {
  query?: ZodType;
  params?: ZodType;
  body?: { content: { "application/json"?: { schema: ZodType } } };
}

function matching(schema: ZodType, value: unknown): object {
  const checked = schema.safeParse(value);
  if (!checked.success) throw invalidRequest(checked.error);
  return checked.data as object;
}

/** A name given several times has a list as its value, which only schemas of lists take. */
function queryOf(c: Context<AppEnv>): Record<string, unknown> {
  const given = Object.entries(c.req.queries());
  return Object.fromEntries(given.map(([name, values]) => [name, values.length === 1 ? values[0] : values]));
}

function bodyOf(c: Context<AppEnv>): unknown {
  const { bodyText } = c.var;
  if (bodyText === undefined) throw new Error("a route that takes a body lacks readJson");
  if (isNestedDeeper(bodyText, limits.nesting)) {
    const problem = `the body has more than ${limits.nesting} objects and arrays inside each other`;
    throw new ApiError("invalid_request", { problem });
  }
  try {
    return JSON.parse(bodyText);
  } catch {
    throw new ApiError("invalid_request", { problem: "the body is not JSON" });
  }
}
