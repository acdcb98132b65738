/** How a range of one certain object is asked for. */
import type { Reading } from "./object-store.ts";

export function rangeHeaders({ offsetBytes, endBytes, ifMatch }: Reading): Record<string, string> {
  const headers: Record<string, string> = {};
  if (offsetBytes !== undefined)
    headers.range = `bytes=${offsetBytes}-${endBytes === undefined ? "" : endBytes - 1}`;
  if (ifMatch !== undefined) headers["if-match"] = ifMatch;
  return headers;
}
