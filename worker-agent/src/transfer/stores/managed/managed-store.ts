/**
 * Managed storage as an ObjectStore (docs/storage.md): bytes go by granted URLs, everything else by calls of the API under the lease.
 * This node holds no credential.
 */

import { z } from "zod";
import {
  limits,
  OutputsAnswer,
  type StorageArea,
  StoredFileList,
  Upload,
  whatIsWrongWithKey,
} from "../../../../../src/contract/index.ts";
import { contradicts, unquotedEtag } from "../../etag.ts";
import { BadAnswer, CallRefused, StorageError } from "../../failures.ts";
import type {
  ListedObject,
  ObjectContent,
  ObjectReader,
  ObjectStore,
  StoredObject,
  WriteTarget,
} from "../../object-store.ts";
import { rangeHeaders } from "../../range-headers.ts";
import type { AttemptStorage } from "./attempt-storage.ts";
import { paths } from "./paths.ts";

/** Putting thousands of parts together takes R2 a while. */
const completeTimeoutMs = 300_000;
/** Each output is looked up by the API. */
const outputsTimeoutMs = 60_000;

/** What is asked where only the status of the answer matters. */
const AnyAnswer = z.looseObject({});

export class ManagedStore implements ObjectStore {
  readonly etagsAreMd5 = true;
  readonly #storage: AttemptStorage;
  readonly #area: StorageArea;

  constructor(storage: AttemptStorage, area: StorageArea) {
    this.#storage = storage;
    this.#area = area;
  }

  /** As people see it: an output, too, appears under its key. */
  describe(key: string): string {
    return `managed:${key}`;
  }

  whatIsWrongWithKey(key: string): string | undefined {
    return whatIsWrongWithKey(key);
  }

  async list(prefix: string, signal: AbortSignal): Promise<ListedObject[]> {
    const objects: ListedObject[] = [];
    const cursors = new Set<string>();
    for (let cursor: string | undefined; ; ) {
      const page = await this.#storage.call({
        path: paths.list,
        body: { prefix, cursor },
        answer: StoredFileList,
        signal,
      });
      for (const { key, size } of page.files) objects.push({ key, sizeBytes: size });
      if (page.next_cursor === null) return objects;
      // An API that repeats itself would keep us here for ever.
      if (cursors.has(page.next_cursor)) throw new BadAnswer("the API's list of files repeats a page");
      cursors.add(page.next_cursor);
      cursor = page.next_cursor;
    }
  }

  reader(key: string): ObjectReader {
    const object = this.#storage.object({ kind: "get", key });
    return {
      announce: (signal) => object.announce(signal),
      read: (wanted, signal, consume) =>
        object.request({ readHeaders: rangeHeaders(wanted) }, signal, consume),
    };
  }

  async put(target: WriteTarget, content: ObjectContent, signal: AbortSignal): Promise<string> {
    const { sizeBytes } = content;
    const md5 = await content.md5();
    const wish = { kind: "put", ...this.#named(target), ...described(target), size: sizeBytes, md5 } as const;
    await arriving(() =>
      this.#storage.request(wish, { body: bodyOf(content) }, signal, async (answer) => {
        if (contradicts(answer, md5)) throw new BadAnswer("the storage received other bytes than were sent");
      }),
    );
    return md5;
  }

  async beginUpload(target: WriteTarget, signal: AbortSignal): Promise<string> {
    const body = { ...this.#named(target), ...described(target) };
    const upload = await this.#storage.call({ path: paths.uploads, body, answer: Upload, signal });
    return upload.upload_id;
  }

  async putPart(
    target: WriteTarget,
    uploadId: string,
    partNumber: number,
    content: ObjectContent,
    signal: AbortSignal,
  ): Promise<string> {
    const wish = {
      kind: "part",
      ...this.#named(target),
      upload_id: uploadId,
      part_number: partNumber,
      size: content.sizeBytes,
      md5: await content.md5(),
    } as const;
    return await ofUpload(() =>
      arriving(() =>
        this.#storage.request(wish, { body: bodyOf(content) }, signal, async (answer) => {
          const etag = unquotedEtag(answer);
          if (etag === "") throw new BadAnswer("the storage took a part without an ETag");
          return etag;
        }),
      ),
    );
  }

  async completeUpload(
    target: WriteTarget,
    uploadId: string,
    { sizeBytes, etags }: { sizeBytes: number; etags: string[] },
    signal: AbortSignal,
  ): Promise<void> {
    const body = {
      ...this.#named(target),
      upload_id: uploadId,
      size: sizeBytes,
      parts: etags.map((etag, index) => ({ part_number: index + 1, etag })),
    };
    const call = {
      path: paths.completeUpload,
      body,
      answer: AnyAnswer,
      signal,
      timeoutMs: completeTimeoutMs,
    };
    await ofUpload(() => this.#storage.call(call));
  }

  async abortUpload(target: WriteTarget, uploadId: string, signal: AbortSignal): Promise<void> {
    const body = { ...this.#named(target), upload_id: uploadId };
    await ofUpload(() => this.#storage.call({ path: paths.abortUpload, body, answer: AnyAnswer, signal }));
  }

  delete(key: string, signal: AbortSignal): Promise<void> {
    return this.#storage.delete(key, signal);
  }

  /** Records outputs besides: what the attempt's completion publishes is what was found to be right here. */
  async verify(uploaded: Map<string, StoredObject>, signal: AbortSignal): Promise<Map<string, string>> {
    const files = [...uploaded].map(([key, { sizeBytes, md5 }]) => ({ key, size: sizeBytes, md5 }));
    const wrong = new Map<string, string>();
    for (let done = 0; done < files.length; done += limits.storageBatch) {
      const answered = await this.#storage.call({
        path: paths.outputs,
        body: { files: files.slice(done, done + limits.storageBatch) },
        answer: OutputsAnswer,
        signal,
        timeoutMs: outputsTimeoutMs,
      });
      for (const { key, problem } of answered.wrong) wrong.set(key, problems[problem]);
    }
    return wrong;
  }

  #named({ key }: WriteTarget) {
    return { area: this.#area, key };
  }
}

const problems = {
  missing: "the object is not there",
  size: "it has another size",
  checksum: "its content is another one",
};

function described({ contentType, contentEncoding }: WriteTarget) {
  return { content_type: contentType, content_encoding: contentEncoding };
}

function bodyOf(content: ObjectContent) {
  // An empty stream would be sent without a length.
  return content.sizeBytes === 0 ? "" : { lengthBytes: content.sizeBytes, open: () => content.open() };
}

/** The request is as the API wished it to be: what is wrong with it (400) can only be its bytes, and the next try has others. */
async function arriving<T>(put: () => Promise<T>): Promise<T> {
  try {
    return await put();
  } catch (failure) {
    if (failure instanceof StorageError && !(failure instanceof CallRefused) && failure.status === 400)
      throw new BadAnswer(`the storage received other bytes than were granted: ${failure.message}`, {
        cause: failure,
      });
    throw failure;
  }
}

/** What was not found can only be the upload, and what conflicts is what arrived of it: both begin it anew. */
async function ofUpload<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (failure) {
    if (failure instanceof StorageError && (failure.status === 404 || failure.status === 409))
      throw new StorageError(404, "NoSuchUpload", failure.message, "PUT");
    throw failure;
  }
}
