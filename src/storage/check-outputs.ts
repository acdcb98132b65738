/** Whether the outputs that an attempt says it has uploaded are there, as it says: one head each. */
import type { OutputsAnswer, OutputsRequest } from "../contract/index.ts";
import type { OutputRecord } from "../db/storage/outputs.ts";
import { inParallel } from "./in-parallel.ts";
import { type AttemptPlace, outputKey } from "./keys.ts";

type Told = OutputsRequest["files"][number];
type Wrong = OutputsAnswer["wrong"][number];

export interface CheckedOutputs {
  right: Pick<OutputRecord, "key" | "bytes" | "etag" | "uploaded">[];
  wrong: Wrong[];
}

export async function checkOutputs(
  bucket: R2Bucket,
  place: AttemptPlace,
  files: Told[],
): Promise<CheckedOutputs> {
  const checked: CheckedOutputs = { right: [], wrong: [] };
  const objects = await inParallel(files, ({ key }) => bucket.head(outputKey(place, key)));
  for (const [index, file] of files.entries()) {
    const object = objects[index] ?? null;
    const problem = problemWith(file, object);
    if (object === null || problem !== null) {
      checked.wrong.push({ key: file.key, problem: problem ?? "missing" });
      continue;
    }
    const { size, etag, uploaded } = object;
    checked.right.push({ key: file.key, bytes: size, etag, uploaded: uploaded.getTime() });
  }
  return checked;
}

function problemWith(file: Told, object: R2Object | null): Wrong["problem"] | null {
  if (!object) return "missing";
  if (object.size !== file.size) return "size";
  // The ETag of an object in parts is no MD5 of it; its parts were checked as they came.
  const isMd5 = /^[0-9a-f]{32}$/.test(object.etag);
  return isMd5 && file.md5 !== undefined && file.md5 !== object.etag ? "checksum" : null;
}
