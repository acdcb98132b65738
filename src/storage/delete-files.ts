/**
 * Deletes what people see under a key: the file, and every published output of that key, or an older one would come to light.
 * Objects go before their rows: whatever stops in between, a repeat finishes, and nothing is left that no row names.
 */
import { prepare } from "../db/prepare.ts";
import { deleteOutputs, type OutputRecord, readPublishedVersions } from "../db/storage/outputs.ts";
import { type BucketKey, fileKey } from "./keys.ts";
import { placeOf, type Stores } from "./locate.ts";

/** R2 deletes so many at once. */
const bite = 1_000;
/** 20,000 outputs under the given keys, after which the caller is asked to repeat. */
const maxBites = 20;

/** At most 1,000 keys. False: there is more to delete, ask again. */
export async function deleteFiles({ db, bucket }: Stores, userId: string, keys: string[]): Promise<boolean> {
  await bucket.delete(keys.map((key): string => fileKey(userId, key)));
  for (let bites = 0; bites < maxBites; bites++) {
    const statement = readPublishedVersions(userId, keys, bite);
    const { results } = await prepare(db, statement).all<OutputRecord & Record<string, unknown>>();
    if (results.length === 0) return true;
    await bucket.delete(results.map((output): BucketKey => placeOf(userId, output)));
    await prepare(db, deleteOutputs(userId, results)).run();
    if (results.length < bite) return true;
  }
  return false;
}
