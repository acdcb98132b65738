import { type BucketPort, deleteAll } from "../../storage/bucket-port.ts";

/** 100,000 objects; what is beyond waits for the next pass. */
const maxPages = 100;

/** Deletes everything below a prefix. `complete`: nothing was left when it was looked at last. */
export async function emptyPlace(
  bucket: BucketPort,
  prefix: string,
): Promise<{ objects: number; complete: boolean }> {
  let objects = 0;
  let cursor: string | null = null;
  for (let page = 0; page < maxPages; page++) {
    const listed = await bucket.list(prefix, cursor);
    await deleteAll(
      bucket,
      listed.objects.map(({ key }) => key),
    );
    objects += listed.objects.length;
    cursor = listed.cursor;
    if (cursor === null) return { objects, complete: true };
  }
  return { objects, complete: false };
}
