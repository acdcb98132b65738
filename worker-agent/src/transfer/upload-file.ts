/**
 * One file becomes one object, whole: what is visible under the key is always a state that the file had.
 *
 * The state is taken before the first byte and compared before the request that makes the object visible. A changed
 * file is begun anew; one that changes again is copied locally first (staged-copy.ts). When trust lapses, the file is
 * begun anew in the next term, and that counts against nothing.
 */
import { createWriteStream } from "node:fs";
import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { type Term, underTrust } from "./effects.ts";
import { FileDisturbed, onDisk, StorageError, transferError } from "./failures.ts";
import { fileRange } from "./file-body.ts";
import { settledState, stateOfOpen } from "./file-state.ts";
import { refuseFastGrowth } from "./growth.ts";
import { uploadInParts } from "./multipart-upload.ts";
import { writeTarget } from "./object-key.ts";
import type { ObjectStore, StoredObject, WriteTarget } from "./object-store.ts";
import { multipartFromBytes } from "./part-sizes.ts";
import type { KnownFile, TransferContext } from "./ports.ts";
import { putObject } from "./put-object.ts";
import type { SharedBounds } from "./shared-bounds.ts";
import { copyWhole } from "./staged-copy.ts";
import { sourceInState, type UploadSource } from "./upload-source.ts";

export interface FileUpload {
  store: ObjectStore;
  path: string;
  /** With ".gz" when the context compresses. */
  key: string;
}

export interface UploadedFile extends StoredObject {
  /** Of the file, as the object now holds it. */
  state: KnownFile;
}

/** Straight from the file, then by way of local copies. */
const directTries = 2;
const triesInAll = 5;

/** @throws whatever went wrong, unnamed: the caller knows what a vanished or disturbed file means to it. */
export function uploadFile(
  bounds: SharedBounds,
  file: FileUpload,
  context: TransferContext,
): Promise<UploadedFile> {
  return bounds.keys.run(file.store.describe(file.key), context.signal, () =>
    underTrust(context, (term) =>
      bounds.files.run(term.signal, () => uploadWhole(bounds, file, context, term)),
    ),
  );
}

async function uploadWhole(
  bounds: SharedBounds,
  file: FileUpload,
  context: TransferContext,
  term: Term,
): Promise<UploadedFile> {
  const target = writeTarget(file.path, file.key, context.compression);
  const send = (source: UploadSource) => sendSource(bounds, file.store, source, target, context, term);
  for (let tries = 1; ; tries += 1) {
    try {
      if (tries <= directTries && !context.compression) return await sendOriginal(file.path, send, term);
      return await sendStaged(file.path, tries <= directTries, send, context, term);
    } catch (failure) {
      term.signal.throwIfAborted();
      if (!startsOver(failure) || tries === triesInAll) throw failure;
    }
  }
}

/** The file changed, or the storage has forgotten a multipart upload: then all of it goes up again. */
function startsOver(failure: unknown): boolean {
  return (
    failure instanceof FileDisturbed || (failure instanceof StorageError && failure.code === "NoSuchUpload")
  );
}

type Send = (source: UploadSource) => Promise<StoredObject>;

async function sendOriginal(path: string, send: Send, term: Term): Promise<UploadedFile> {
  const handle = await onDisk(path, open(path, "r"));
  try {
    if ((await stateOfOpen(handle, path)).sizeBytes >= multipartFromBytes) {
      await refuseFastGrowth(handle, path, term.signal);
    }
    const state = await settledState(handle, path, term.signal);
    return { ...(await send(sourceInState(path, handle, state))), state };
  } finally {
    await handle.close();
  }
}

/** By way of a copy of the file, of its compressed content, or both. */
async function sendStaged(
  path: string,
  fromOriginal: boolean,
  send: Send,
  { compression }: TransferContext,
  term: Term,
): Promise<UploadedFile> {
  const directory = await makeStaging();
  try {
    const copy = join(directory, "copy");
    const copied = fromOriginal ? undefined : await copyWhole(path, copy, term.signal);
    const sourcePath = copied ? copy : path;
    const handle = await onDisk(sourcePath, open(sourcePath, "r"));
    try {
      const found = await settledState(handle, sourcePath, term.signal);
      // A copy can be longer than what is known to be whole of it.
      const source = { ...sourceInState(sourcePath, handle, found), sizeBytes: (copied ?? found).sizeBytes };
      const stored = compression
        ? await sendCompressed(source, join(directory, "gz"), send, term)
        : await send(source);
      return { ...stored, state: copied ?? found };
    } finally {
      await handle.close();
    }
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function makeStaging(): Promise<string> {
  try {
    return await mkdtemp(join(tmpdir(), "kelpie-upload-"));
  } catch (cause) {
    // Whatever the system calls it, the place is the machine's and not the job's.
    throw transferError("node", `a place for copies in ${tmpdir()}`, cause);
  }
}

/** Compressed to a file first: the size must be known before the first byte is sent. */
async function sendCompressed(
  source: UploadSource,
  path: string,
  send: Send,
  term: Term,
): Promise<StoredObject> {
  const range = { offsetBytes: 0, lengthBytes: source.sizeBytes };
  const plain = Readable.from(fileRange(source.handle, source.path, range), { highWaterMark: 1 });
  await onDisk(path, pipeline(plain, createGzip(), createWriteStream(path), { signal: term.signal }));
  await source.checkUnchanged();
  const handle = await onDisk(path, open(path, "r"));
  try {
    return await send(sourceInState(path, handle, await stateOfOpen(handle, path)));
  } finally {
    await handle.close();
  }
}

function sendSource(
  { patience, concurrentRequests }: SharedBounds,
  store: ObjectStore,
  source: UploadSource,
  target: WriteTarget,
  context: TransferContext,
  term: Term,
): Promise<StoredObject> {
  if (source.sizeBytes < multipartFromBytes) return putObject(store, patience, source, target, term);
  return uploadInParts({
    store,
    patience,
    source,
    target,
    term,
    partsAtOnce: concurrentRequests,
    onLeftover: (failure) =>
      context.onProblem?.(`parts of ${store.describe(target.key)} are left in the storage: ${failure}`),
  });
}
