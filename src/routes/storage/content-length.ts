import type { Context } from "hono";
import { ApiError } from "../../middleware/api-error.ts";
import type { AppEnv } from "../../middleware/app-env.ts";

/** Of a body that is streamed on: 411 when it was not said, 413 when it is too much, before a byte is read. */
export function contentLength(c: Context<AppEnv>, limitBytes: number): number {
  const said = c.req.header("content-length") ?? "";
  if (!/^\d{1,16}$/.test(said)) throw new ApiError("length_required", {});
  if (Number(said) > limitBytes) throw new ApiError("payload_too_large", { what: "body", limitBytes });
  return Number(said);
}
