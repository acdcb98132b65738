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
export const Id = text(limits.idChars)
  .min(1)
  .refine((id) => id !== "." && id !== "..", { error: 'must not be "." or "..": it has no place in a URL' });

/**
 * What a program said, made fit to be kept and shown: cut, without halves of characters, and NUL as a space. For texts that
 * nobody should be refused for.
 */
export function legible(said: string, maxChars: number): string {
  const cut = said.slice(0, maxChars).replaceAll("\0", " ");
  return cut.replace(/[\ud800-\udbff]$/, "").toWellFormed();
}

/**
 * A list or map of at most so many entries, counted before they are looked at: each bad entry is an issue of its own, and a
 * million of them would take the isolate down. A map with an entry `__proto__` is refused: zod would leave it out unsaid.
 */
export function atMost<Schema extends z.ZodType>(entries: number, schema: Schema) {
  const bound = schema instanceof z.ZodArray ? { maxItems: entries } : { maxProperties: entries };
  return z
    .preprocess((value, context) => {
      const isCollection = typeof value === "object" && value !== null;
      const count = isCollection ? Object.keys(value).length : 0;
      if (count > entries) {
        context.addIssue({ code: "custom", message: `has more than ${entries} entries` });
        return z.NEVER;
      }
      if (isCollection && Object.hasOwn(value, "__proto__")) {
        context.addIssue({ code: "custom", path: ["__proto__"], message: "is no name for an entry" });
        return z.NEVER;
      }
      return value;
    }, schema)
    .meta(bound);
}

/** A whole number in a query, where everything is text: digits and nothing else ("1e3", "0x10" and "" are none). */
export function wholeNumber(min: number, max: number) {
  return z.preprocess(
    (value) => (typeof value === "string" && /^-?\d{1,15}$/.test(value) ? Number(value) : value),
    z
      .int({ error: ({ code }) => (code === "invalid_type" ? "must be a whole number" : undefined) })
      .min(min)
      .max(max),
  );
}

/** Bytes of a well-formed text in UTF-8; this layer runs where there is no TextEncoder. */
export function utf8Bytes(wellFormed: string): number {
  let bytes = 0;
  for (const character of wellFormed) {
    const point = character.codePointAt(0) ?? 0;
    bytes += point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
  }
  return bytes;
}
