/** One object in one PUT. */
import type { Term } from "./effects.ts";
import { contentOf } from "./file-content.ts";
import type { ObjectStore, StoredObject, WriteTarget } from "./object-store.ts";
import { type Patience, retrying } from "./retry.ts";
import type { UploadSource } from "./upload-source.ts";

/**
 * The last chunk is held back until the file has been seen unchanged and trust has been confirmed once more: before
 * it, the storage has nothing to show.
 */
export async function putObject(
  store: ObjectStore,
  patience: Patience,
  source: UploadSource,
  target: WriteTarget,
  term: Term,
): Promise<StoredObject> {
  const { sizeBytes } = source;
  const content = contentOf(source, { offsetBytes: 0, lengthBytes: sizeBytes }, async () => {
    await source.checkUnchanged();
    await term.confirm();
  });
  const md5 = await retrying(patience, term.signal, async () => {
    await term.confirm();
    await source.checkUnchanged();
    return await store.put(target, content, term.signal);
  });
  return { sizeBytes, md5 };
}
