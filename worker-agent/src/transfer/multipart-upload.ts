/** One large object in parts that go up in parallel; it becomes visible at once, by the request that completes it. */
import { forEachBounded } from "./bounded.ts";
import type { Term } from "./effects.ts";
import { StorageError } from "./failures.ts";
import { contentOf } from "./file-content.ts";
import type { ObjectStore, StoredObject, WriteTarget } from "./object-store.ts";
import { partsOf } from "./part-sizes.ts";
import { type Patience, retrying } from "./retry.ts";
import type { UploadSource } from "./upload-source.ts";

/** What is left of a failed upload costs its owner money, but nobody waits long for the cleaning up. */
const abortTimeoutMs = 10_000;

interface Upload {
  store: ObjectStore;
  patience: Patience;
  source: UploadSource;
  target: WriteTarget;
  term: Term;
}

/** `onLeftover` hears of an upload that could be neither completed nor removed. */
export async function uploadInParts(
  upload: Upload & { partsAtOnce: number; onLeftover: (failure: unknown) => void },
): Promise<StoredObject> {
  const { store, patience, source, target, term } = upload;
  const { sizeBytes } = source;
  const uploadId = await retrying(patience, term.signal, async () => {
    await term.confirm();
    return await store.beginUpload(target, term.signal);
  });
  try {
    const etags = await putParts(upload, uploadId, upload.partsAtOnce);
    await retrying(patience, term.signal, async () => {
      await source.checkUnchanged();
      await term.confirm();
      await store.completeUpload(target, uploadId, { sizeBytes, etags }, term.signal);
    });
    return { sizeBytes, md5: undefined };
  } catch (failure) {
    // Not awaited: whoever aborted us wants an answer now. It shows nobody anything: only our own unseen parts go.
    abortUpload(upload, uploadId).catch(upload.onLeftover);
    throw failure;
  }
}

async function putParts(upload: Upload, uploadId: string, partsAtOnce: number): Promise<string[]> {
  const { store, patience, source, target, term } = upload;
  const etags: string[] = [];
  const failed = new AbortController();
  const signal = AbortSignal.any([term.signal, failed.signal]);
  await forEachBounded(
    partsOf(source.sizeBytes),
    partsAtOnce,
    async (part) => {
      const content = contentOf(source, part);
      etags[part.number - 1] = await retrying(patience, signal, async () => {
        await term.confirm();
        // Not needed for wholeness, but a file that is still being written is given up early.
        await source.checkUnchanged();
        return await store.putPart(target, uploadId, part.number, content, signal);
      });
    },
    (reason) => failed.abort(reason),
  );
  return etags;
}

async function abortUpload({ store, patience, target }: Upload, uploadId: string): Promise<void> {
  const signal = AbortSignal.timeout(abortTimeoutMs);
  try {
    await retrying(patience, signal, () => store.abortUpload(target, uploadId, signal));
  } catch (failure) {
    // It was completed after all, and only the answer got lost; or someone cleaned up before us.
    if (failure instanceof StorageError && failure.code === "NoSuchUpload") return;
    throw failure;
  }
}
