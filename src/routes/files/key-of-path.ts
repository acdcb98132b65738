import type { Context } from "hono";
import { whatIsWrongWithKey } from "../../contract/index.ts";
import { ApiError } from "../../middleware/api-error.ts";
import type { AppEnv } from "../../middleware/app-env.ts";

const before = "/files/";

/**
 * The key that the URL's path names: everything behind `/files/`, percent-decoded once. Read from the URL itself: the router's
 * own path is half decoded already, and cannot tell `%2541` from `%41`.
 */
export function keyOfPath(c: Context<AppEnv>): string {
  const key = decoded(new URL(c.req.url).pathname.slice(before.length));
  const wrong = key === null ? "is not percent-encoded UTF-8" : whatIsWrongWithKey(key);
  if (key === null || wrong !== undefined) {
    throw new ApiError("invalid_request", { problem: wrong ?? "is no key", field: "key" });
  }
  return key;
}

function decoded(path: string): string | null {
  try {
    return decodeURIComponent(path);
  } catch {
    return null;
  }
}
