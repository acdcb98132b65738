/** How files and objects are named and described. */
import { randomBytes } from "node:crypto";
import { basename } from "node:path";
import mime from "mime";
import type { WriteTarget } from "./object-store.ts";

/**
 * A name for a file or directory of ours that lies beside the user's: never uploaded, never taken for his. Random and
 * long, so that whatever else he calls `.kelpie-…` is his.
 */
export function ownName(purpose: Purpose, owner = ""): string {
  return `${ownNameStart(purpose, owner)}${randomBytes(16).toString("hex").slice(owner.length)}.tmp`;
}

/** With what the names of one owner (up to 16 hex digits) begin, where it matters whose they are. */
export function ownNameStart(purpose: Purpose, owner: string): string {
  return `.kelpie-${purpose}-${owner}`;
}

type Purpose = "download" | "link" | "aside" | "snapshot";

const ownNames = /^\.kelpie-(download|link|aside|snapshot)-[0-9a-f]{32}\.tmp$/;

export function isOwnFile(name: string): boolean {
  return ownNames.test(basename(name));
}

/** The key under which the file of that name (with "/" separators) is stored. */
export function keyOf(prefix: string, relativePath: string, compression: boolean): string {
  return `${prefix}${relativePath}${compression ? ".gz" : ""}`;
}

/** The type is told by the file's ending, compressed or not: with `Content-Encoding: gzip` it is that of the content. */
export function writeTarget(path: string, key: string, compression: boolean): WriteTarget {
  const target = { key, contentType: mime.getType(path) ?? "application/octet-stream" };
  return compression ? { ...target, contentEncoding: "gzip" } : target;
}
