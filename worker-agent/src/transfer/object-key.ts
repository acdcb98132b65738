/** How files and objects are named and described. */
import { basename } from "node:path";
import mime from "mime";

/** Files of ours that lie beside the user's: never uploaded, never taken for his. */
export const ownFilePrefix = ".kelpie-";

export function isOwnFile(name: string): boolean {
  return basename(name).startsWith(ownFilePrefix);
}

/** The key under which the file of that name (with "/" separators) is stored. */
export function keyOf(prefix: string, relativePath: string, compression: boolean): string {
  return `${prefix}${relativePath}${compression ? ".gz" : ""}`;
}

/** By the file's ending, compressed or not: with `Content-Encoding: gzip` the type is that of the content. */
export function contentHeaders(path: string, compression: boolean): Record<string, string> {
  const type = { "content-type": mime.getType(path) ?? "application/octet-stream" };
  return compression ? { ...type, "content-encoding": "gzip" } : type;
}
