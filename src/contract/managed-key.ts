/**
 * Names of objects in managed storage, as users and agents write them: paths below the organization's own root. What the
 * API puts in front of them is nobody else's business, and no key reaches out of it.
 */
import { z } from "zod";
import { limits } from "./limits.ts";
import { text, utf8Bytes } from "./text.ts";

/** Why this is no key of managed storage, in words; undefined: it is one. */
export function whatIsWrongWithKey(key: string): string | undefined {
  if (key === "") return "must not be empty";
  // Slashes apart, a key is what a file system could hold: whoever downloads it gets one file inside a directory.
  if (key.split("/").some((segment) => segment === "" || segment === "." || segment === "..")) {
    return 'must be a path without empty, "." and ".." parts';
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (/[\u0000-\u001f\u007f]/.test(key)) return "must not contain control characters";
  if (!key.isWellFormed()) return "must not contain a lone surrogate";
  if (utf8Bytes(key) > limits.managedKeyBytes) {
    return `is longer than ${limits.managedKeyBytes} bytes`;
  }
  return undefined;
}

/** One object. */
export const ManagedKey = z
  .string()
  .max(limits.managedKeyBytes)
  .superRefine((key, context) => {
    const wrong = whatIsWrongWithKey(key);
    if (wrong !== undefined) context.addIssue({ code: "custom", message: wrong });
  })
  .describe("Path below the organization's root: no leading slash, no `.` or `..`, no control characters");

/** The beginning of keys; empty: the root. */
export const ManagedPrefix = text(limits.prefixChars)
  .superRefine((prefix, context) => {
    if (prefix === "") return;
    const wrong = whatIsWrongWithKey(prefix.endsWith("/") ? prefix.slice(0, -1) : prefix);
    if (wrong !== undefined) context.addIssue({ code: "custom", message: wrong });
  })
  .describe("Path below the organization's root; empty: all of it");
