import type { Context } from "hono";
import type { ZodType } from "zod";
import { ApiError } from "../middleware/api-error.ts";
import type { AppEnv } from "../middleware/app-env.ts";

/** A header as it was sent; undefined: it was not. 400 that names it for what its schema does not take. */
export function headerOf(c: Context<AppEnv>, name: string, schema: ZodType): string | undefined {
  const said = c.req.header(name);
  const checked = schema.optional().safeParse(said);
  if (checked.success) return said;
  const problem = checked.error.issues[0]?.message ?? "is malformed";
  throw new ApiError("invalid_request", { problem, field: name });
}
