/** The bucket as the storage's engines see it: R2's binding, or the simulation's bucket with faults. */
export interface BucketPort {
  /** Its size, and its first bytes up to that many; null: it is not there. Whoever breaks off the body has read enough. */
  open(key: string, maxBytes: number): Promise<OpenedObject | null>;
  /** Null: it is not there, as far as the storage itself is concerned. */
  size(key: string): Promise<number | null>;
  /** Of its bytes, in hex, as they are there now; null: it is not there. Holds none of them: it may be of any size. */
  sha256(key: string): Promise<string | null>;
  /** In order of the keys, at most 1,000 to a page. */
  list(prefix: string, cursor: string | null): Promise<ObjectPage>;
  /** At most 1,000 (`deleteAll` takes any number); those that are not there are no error. */
  delete(keys: string[]): Promise<void>;
}

export interface OpenedObject {
  /** Of the whole object. */
  size: number;
  body: AsyncIterable<Uint8Array>;
}

export interface ObjectPage {
  objects: { key: string; size: number }[];
  /** Null: this is the last page. */
  cursor: string | null;
}

/** Lists page by page, `maxPages` at most: whoever takes the last one sees by its cursor whether that was all. */
export async function* pagesOf(
  bucket: BucketPort,
  prefix: string,
  maxPages: number,
): AsyncGenerator<ObjectPage> {
  let cursor: string | null = null;
  for (let page = 0; page < maxPages; page++) {
    const listed: ObjectPage = await bucket.list(prefix, cursor);
    yield listed;
    if (listed.cursor === null) return;
    cursor = listed.cursor;
  }
}

/** R2's own bound of one call. */
const deleteBite = 1_000;

export async function deleteAll(bucket: BucketPort, keys: string[]): Promise<void> {
  for (let at = 0; at < keys.length; at += deleteBite) await bucket.delete(keys.slice(at, at + deleteBite));
}
