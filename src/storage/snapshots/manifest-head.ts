/** The first line of a manifest: what a generation consists of. All that the API ever reads of one, whatever its size. */

import { type ChunkName, limits, ManifestHead } from "../../contract/index.ts";
import { parseJson } from "../../http/parse-json.ts";
import type { BucketPort } from "../bucket-port.ts";

/** A chunk's name with the largest numbers there are, and what else the line carries, its prefix escaped throughout. */
const maxLineBytes = limits.generationChunks * 120 + 16 * 1024;

export type ManifestReading =
  | { kind: "read"; size: number; head: ManifestHead }
  | { kind: "missing" }
  | { kind: "malformed"; problem: string };

export async function readManifestHead(bucket: BucketPort, key: string): Promise<ManifestReading> {
  const object = await bucket.open(key, maxLineBytes);
  if (object === null) return { kind: "missing" };
  const line = await firstLine(object.body);
  if (line === null) return { kind: "malformed", problem: "its first line does not end" };
  const parsed = ManifestHead.safeParse(parseJson(line));
  if (parsed.success) return { kind: "read", size: object.size, head: parsed.data };
  const [issue] = parsed.error.issues;
  return { kind: "malformed", problem: `${issue?.path.join(".") ?? ""}: ${issue?.message ?? "malformed"}` };
}

/** A chunk's place below its job: unique, and short enough to hold 100,000 of them. */
export function placeOf([attempt, generation, sha256]: ChunkName): string {
  return `${attempt}/${generation}/${sha256}`;
}

const newline = 10;

/** Null: the body has none. */
async function firstLine(body: AsyncIterable<Uint8Array>): Promise<string | null> {
  const decoder = new TextDecoder();
  let line = "";
  for await (const bytes of body) {
    const end = bytes.indexOf(newline);
    if (end >= 0) return line + decoder.decode(bytes.subarray(0, end));
    line += decoder.decode(bytes, { stream: true });
  }
  return null;
}
