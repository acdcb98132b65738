/**
 * What people see below their root, in the order of the keys' bytes: the organization's files, merged with the published outputs,
 * the newest of each key. One page costs one list of R2 and one statement.
 */
import type { StoredFile } from "../contract/index.ts";
import { prepare } from "../db/prepare.ts";
import { listPublished, type OutputRecord } from "../db/storage/outputs.ts";
import { filesRoot } from "./keys.ts";
import { outputIsNewer, type Stores } from "./locate.ts";
import { behindPrefix, compareUtf8 } from "./utf8-order.ts";

export interface FilePage {
  files: StoredFile[];
  /** Where the next page goes on; null: this was the last one. */
  after: string | null;
}

interface Side<Item> {
  items: Item[];
  /** There may be more behind this key. */
  knownUntil: string | null;
}

/** At most `limit` (1 to 1,000) files after the key `after` ("": from the start). */
export async function listFiles(
  { db, bucket }: Stores,
  userId: string,
  { prefix, after, limit }: { prefix: string; after: string; limit: number },
): Promise<FilePage> {
  const [files, outputs] = await Promise.all([
    listBucket(bucket, filesRoot(userId), prefix, after, limit),
    listOutputs(db, userId, prefix, after, limit),
  ]);
  // Beyond what both sides are known for, something smaller might turn up yet.
  const horizon = earliest(files.knownUntil, outputs.knownUntil);
  const merged = new Map<string, StoredFile>();
  const objects = new Map<string, R2Object>();
  const root = filesRoot(userId).length;
  for (const object of files.items) {
    const key = object.key.slice(root);
    objects.set(key, object);
    merged.set(key, fileOf(key, object.size, object.uploaded.getTime(), object.etag));
  }
  for (const output of outputs.items) {
    if (outputIsNewer(output, objects.get(output.key) ?? null)) {
      merged.set(output.key, fileOf(output.key, output.bytes, output.uploaded, output.etag));
    }
  }
  const known = [...merged.values()]
    .filter(({ key }) => horizon === null || compareUtf8(key, horizon) <= 0)
    .sort((a, b) => compareUtf8(a.key, b.key));
  const page = known.slice(0, limit);
  const last = page.at(-1)?.key ?? horizon;
  const more = horizon !== null || known.length > page.length;
  return { files: page, after: more ? last : null };
}

async function listBucket(
  bucket: R2Bucket,
  root: string,
  prefix: string,
  after: string,
  limit: number,
): Promise<Side<R2Object>> {
  const listed = await bucket.list({
    prefix: root + prefix,
    limit,
    ...(after === "" ? {} : { startAfter: root + after }),
  });
  const last = listed.objects.at(-1)?.key.slice(root.length);
  // R2 may answer fewer than it was asked for, but a page that has more has something.
  if (listed.truncated && last === undefined) throw new Error("R2 listed an empty page that has a next one");
  return { items: listed.objects, knownUntil: listed.truncated ? (last ?? null) : null };
}

async function listOutputs(
  db: D1Database,
  userId: string,
  prefix: string,
  after: string,
  limit: number,
): Promise<Side<OutputRecord>> {
  const statement = listPublished(userId, { prefix, before: behindPrefix(prefix), after, limit });
  const { results } = await prepare(db, statement).all<OutputRecord & Record<string, unknown>>();
  return { items: results, knownUntil: results.length === limit ? (results.at(-1)?.key ?? null) : null };
}

function earliest(a: string | null, b: string | null): string | null {
  if (a === null || b === null) return a ?? b;
  return compareUtf8(a, b) < 0 ? a : b;
}

function fileOf(key: string, size: number, modifiedMs: number, etag: string): StoredFile {
  return { key, size, modified: new Date(modifiedMs).toISOString(), etag };
}
