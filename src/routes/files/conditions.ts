/** Conditions of a write, as headers say them. */
import type { Context } from "hono";
import { ApiError } from "../../middleware/api-error.ts";
import type { AppEnv } from "../../middleware/app-env.ts";
import type { Write } from "../../storage/granter.ts";

const conditions = ["if-match", "if-none-match", "if-modified-since", "if-unmodified-since"] as const;
type Condition = (typeof conditions)[number];

/** `If-None-Match: *`, or `If-Match` with one ETag. 400 for what cannot be kept: who says so must not overwrite or delete all the same. */
export function writeConditions(c: Context<AppEnv>): Pick<Write, "onlyIfAbsent" | "onlyIfEtag"> {
  refuseConditions(c, ["if-match", "if-none-match"]);
  const absent = c.req.header("if-none-match");
  if (absent !== undefined && absent !== "*") throw unkept("If-None-Match", "must be *");
  const match = c.req.header("if-match");
  if (match === undefined) return { onlyIfAbsent: absent === "*" };
  if (absent !== undefined) throw unkept("If-Match", "does not go with If-None-Match");
  const [, etag] = /^"([!#-~]{1,200})"$/.exec(match) ?? [];
  if (etag === undefined) throw unkept("If-Match", "must be one ETag in quotes");
  return { onlyIfEtag: etag };
}

/** 400 for every condition but these. */
export function refuseConditions(c: Context<AppEnv>, but: Condition[] = []): void {
  const said = conditions.find((name) => !but.includes(name) && c.req.header(name) !== undefined);
  if (said !== undefined) throw unkept(said, "is no condition that this can be done on");
}

function unkept(field: string, problem: string): ApiError {
  return new ApiError("invalid_request", { problem, field });
}
