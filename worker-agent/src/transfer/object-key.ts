/** How files and objects are named and described. */
import { randomBytes } from "node:crypto";
import { basename } from "node:path";
import mime from "mime";
import type { WriteTarget } from "./object-store.ts";

/**
 * A name for a file or directory of ours that lies beside the user's: never uploaded, never taken for his. Random and
 * long, so that whatever else he calls `.kelpie-…` is his.
 */
export function ownName(purpose: "download" | "link" | "aside" | "snapshot"): string {
  return `.kelpie-${purpose}-${randomBytes(16).toString("hex")}.tmp`;
}

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
