import { type BucketPort, deleteAll, pagesOf } from "../../storage/bucket-port.ts";

/** 100,000 objects; what is beyond waits for the next pass. */
const maxPages = 100;

/** Deletes everything below a prefix. `complete`: nothing was left when it was looked at last. */
export async function emptyPlace(
  bucket: BucketPort,
  prefix: string,
): Promise<{ objects: number; complete: boolean }> {
  let objects = 0;
  let complete = false;
  for await (const listed of pagesOf(bucket, prefix, maxPages)) {
    const keys = listed.objects.map(({ key }) => key);
    await deleteAll(bucket, keys);
    objects += keys.length;
    complete = listed.cursor === null;
  }
  return { objects, complete };
}
