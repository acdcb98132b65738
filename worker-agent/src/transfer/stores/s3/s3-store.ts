/** One bucket of the user's own S3-compatible storage, with the credentials of this node. */
import { createHash } from "node:crypto";
import { XMLBuilder, XMLParser } from "fast-xml-parser";
import { forEachBounded } from "../../bounded.ts";
import { contradicts, unquotedEtag } from "../../etag.ts";
import { BadAnswer, StorageError, transferError } from "../../failures.ts";
import type {
  ListedObject,
  ObjectContent,
  ObjectReader,
  ObjectStore,
  StoredObject,
  WriteTarget,
} from "../../object-store.ts";
import { rangeHeaders } from "../../range-headers.ts";
import { errorInXml } from "../../refusal.ts";
import { judge, type Patience } from "../../retry.ts";
import { headObject } from "./head-object.ts";
import { listObjects } from "./list-objects.ts";
import type { S3Client } from "./s3-client.ts";

/** Putting thousands of parts together takes S3 minutes at times. */
const completeTimeoutMs = 300_000;
const headsAtOnce = 8;

const parser = new XMLParser({ ignoreAttributes: true, parseTagValue: false });
const builder = new XMLBuilder();

export class S3Store implements ObjectStore {
  /** Encrypted or compressed at rest, some storages answer other ETags of the same looks. */
  readonly etagsAreMd5 = false;
  readonly #client: S3Client;
  readonly #patience: Patience;
  readonly #bucket: string;

  constructor(client: S3Client, patience: Patience, bucket: string) {
    this.#client = client;
    this.#patience = patience;
    this.#bucket = bucket;
  }

  describe(key: string): string {
    return `${this.#bucket}/${key}`;
  }

  /** S3's own rules are its own; what cannot be addressed is refused by address.ts. */
  whatIsWrongWithKey(): undefined {
    return undefined;
  }

  list(prefix: string, signal: AbortSignal): Promise<ListedObject[]> {
    return listObjects(this.#client, this.#patience, { bucket: this.#bucket, prefix }, signal);
  }

  reader(key: string): ObjectReader {
    return {
      announce: () => undefined,
      read: (wanted, signal, consume) => {
        const headers = rangeHeaders(wanted);
        return this.#client.exchange({ method: "GET", bucket: this.#bucket, key, headers, signal }, consume);
      },
    };
  }

  put(target: WriteTarget, content: ObjectContent, signal: AbortSignal): Promise<string> {
    const hash = createHash("md5");
    const { sizeBytes } = content;
    const body = sizeBytes === 0 ? "" : { lengthBytes: sizeBytes, open: () => content.open(hash) };
    const request = { method: "PUT", ...this.#addressed(target), body, signal } as const;
    return this.#client.exchange(request, async (answer) => {
      const md5 = hash.digest("hex");
      if (contradicts(answer, md5)) {
        throw new BadAnswer(
          `the storage received other bytes than were sent (ETag ${unquotedEtag(answer)} for MD5 ${md5})`,
        );
      }
      return md5;
    });
  }

  async beginUpload(target: WriteTarget, signal: AbortSignal): Promise<string> {
    const request = {
      method: "POST",
      ...this.#addressed(target),
      query: { uploads: "" },
      body: "",
      signal,
    } as const;
    const text = await this.#client.exchange(request, (answer) => answer.text());
    const document: { InitiateMultipartUploadResult?: { UploadId?: string } } = parser.parse(text);
    const uploadId = document.InitiateMultipartUploadResult?.UploadId;
    if (!uploadId) throw new BadAnswer("the storage began a multipart upload without an id");
    return uploadId;
  }

  putPart(
    { key }: WriteTarget,
    uploadId: string,
    partNumber: number,
    content: ObjectContent,
    signal: AbortSignal,
  ): Promise<string> {
    const query = { partNumber: String(partNumber), uploadId };
    const body = { lengthBytes: content.sizeBytes, open: () => content.open() };
    const request = { method: "PUT", bucket: this.#bucket, key, query, body, signal } as const;
    return this.#client.exchange(request, async (answer) => {
      const etag = answer.header("etag");
      if (!etag) throw new BadAnswer("the storage took a part without an ETag");
      return etag;
    });
  }

  async completeUpload(
    { key }: WriteTarget,
    uploadId: string,
    { etags }: { etags: string[] },
    signal: AbortSignal,
  ): Promise<void> {
    const body = builder.build({
      CompleteMultipartUpload: { Part: etags.map((ETag, index) => ({ PartNumber: index + 1, ETag })) },
    });
    const request = {
      method: "POST",
      bucket: this.#bucket,
      key,
      query: { uploadId },
      headers: { "content-type": "application/xml" },
      body,
      signal,
      answerTimeoutMs: completeTimeoutMs,
    } as const;
    await this.#client.exchange(request, async (answer) => {
      // S3 may say 200 first and notice the trouble afterwards.
      const refused = errorInXml(500, await answer.text());
      if (refused) throw refused;
    });
  }

  abortUpload({ key }: WriteTarget, uploadId: string, signal: AbortSignal): Promise<void> {
    const request = { method: "DELETE", bucket: this.#bucket, key, query: { uploadId }, signal } as const;
    return this.#client.exchange(request, async () => {});
  }

  async delete(key: string, signal: AbortSignal): Promise<void> {
    try {
      await this.#client.exchange({ method: "DELETE", bucket: this.#bucket, key, signal }, async () => {});
    } catch (failure) {
      if (failure instanceof StorageError && failure.code === "NoSuchKey") return;
      throw failure;
    }
  }

  async verify(uploaded: Map<string, StoredObject>, signal: AbortSignal): Promise<Map<string, string>> {
    const wrong = new Map<string, string>();
    const failed = new AbortController();
    await forEachBounded(
      uploaded,
      headsAtOnce,
      async ([key, expected]) => {
        const problem = await this.#whatIsWrong(key, expected, AbortSignal.any([signal, failed.signal]));
        if (problem !== undefined) wrong.set(key, problem);
      },
      (reason) => failed.abort(reason),
    );
    return wrong;
  }

  async #whatIsWrong(key: string, expected: StoredObject, signal: AbortSignal): Promise<string | undefined> {
    const object = { bucket: this.#bucket, key };
    const answer = await headObject(this.#client, this.#patience, object, signal).catch((failure) => {
      signal.throwIfAborted();
      throw transferError(judge(failure).fault, `looking up ${this.describe(key)}`, failure);
    });
    if (!answer) return "the object is not there";
    const length = answer.header("content-length");
    if (length !== String(expected.sizeBytes))
      return `it has ${length} bytes instead of ${expected.sizeBytes}`;
    if (expected.md5 !== undefined && contradicts(answer, expected.md5)) {
      return `its content is another one (ETag ${unquotedEtag(answer)} for MD5 ${expected.md5})`;
    }
    return undefined;
  }

  #addressed({ key, contentType, contentEncoding }: WriteTarget) {
    const headers: Record<string, string> = { "content-type": contentType };
    if (contentEncoding !== undefined) headers["content-encoding"] = contentEncoding;
    return { bucket: this.#bucket, key, headers };
  }
}
