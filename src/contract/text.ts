import { z } from "zod";
import { limits } from "./limits.ts";

/**
 * Text that means the same everywhere it goes (JSON, SQL, an environment, a file name): no NUL, which ends strings in
 * some of them, and no lone surrogate, which has no UTF-8.
 */
export function text(maxChars: number) {
  return z
    .string()
    .max(maxChars)
    .refine((value) => !value.includes("\0"), { error: "must not contain NUL" })
    .refine((value) => value.isWellFormed(), { error: "must not contain a lone surrogate" });
}

/** Ids of groups, machines, instances and claims: UUIDs on SaladCloud, any short string elsewhere. */
export const Id = text(limits.idChars).min(1);
