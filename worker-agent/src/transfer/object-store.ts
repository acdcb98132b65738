/**
 * The port to a storage: what transfers need of it. Two implementations: the user's own S3-compatible storage (stores/s3) and
 * managed storage (stores/managed). Methods make one try and say honestly what came of it, except where they say otherwise;
 * retries, resumes and trust are the transfers' own business, and the same for both.
 */
import type { Hash } from "node:crypto";
import type { HttpAnswer } from "./http-client.ts";

export interface ListedObject {
  key: string;
  sizeBytes: number;
}

/** What is to become visible under a key. */
export interface WriteTarget {
  key: string;
  contentType: string;
  contentEncoding?: "gzip";
}

/** Bytes of one state of a file. */
export interface ObjectContent {
  sizeBytes: number;
  /** Of all of it, in hex; reads it once more. */
  md5(): Promise<string>;
  /** May be called again for another try. `hash` sees every byte. */
  open(hash?: Hash): AsyncIterable<Uint8Array>;
}

/** What is believed to be stored once an upload has succeeded. */
export interface StoredObject {
  sizeBytes: number;
  /** Of the bytes sent, in hex; undefined after an upload in parts. */
  md5: string | undefined;
}

export interface Reading {
  /** From here on. */
  offsetBytes?: number;
  /** Up to here, exclusive; needs `offsetBytes`. */
  endBytes?: number;
  /** Only from the object that had this ETag; else a StorageError of status 412. */
  ifMatch?: string;
}

/** One object, to be read by one or more requests. */
export interface ObjectReader {
  /** It is going to be read within seconds: what can be asked for together with others is asked for now. Never rejects. */
  announce(signal: AbortSignal): void;
  read<T>(wanted: Reading, signal: AbortSignal, consume: (answer: HttpAnswer) => Promise<T>): Promise<T>;
}

export interface ObjectStore {
  /** An ETag that looks like an MD5 is one. Elsewhere it mostly is. */
  readonly etagsAreMd5: boolean;
  /** The object in words; no other object has the same. */
  describe(key: string): string;
  /** Why no object can have this key, in words; undefined: one can, or only a request will tell. */
  whatIsWrongWithKey(key: string): string | undefined;
  /** All objects under a prefix. Tries again by itself. */
  list(prefix: string, signal: AbortSignal): Promise<ListedObject[]>;
  /** Requests of one reader that go on at once must end with the same signal, and its announcement not before. */
  reader(key: string): ObjectReader;
  /** @returns the MD5 of the bytes sent, in hex. */
  put(target: WriteTarget, content: ObjectContent, signal: AbortSignal): Promise<string>;
  /** @returns the id of an upload in parts. */
  beginUpload(target: WriteTarget, signal: AbortSignal): Promise<string>;
  /**
   * @returns the part's ETag.
   * @throws StorageError with code NoSuchUpload when the storage has forgotten the upload: it is to be begun anew.
   */
  putPart(
    target: WriteTarget,
    uploadId: string,
    partNumber: number,
    content: ObjectContent,
    signal: AbortSignal,
  ): Promise<string>;
  /** Makes the object visible. `etags`: of all parts in order. */
  completeUpload(
    target: WriteTarget,
    uploadId: string,
    whole: { sizeBytes: number; etags: string[] },
    signal: AbortSignal,
  ): Promise<void>;
  abortUpload(target: WriteTarget, uploadId: string, signal: AbortSignal): Promise<void>;
  /** One that is gone already is fine. */
  delete(key: string, signal: AbortSignal): Promise<void>;
  /** Looks what is really there. @returns of each key that is wrong what is, in words. Tries again by itself. */
  verify(uploaded: Map<string, StoredObject>, signal: AbortSignal): Promise<Map<string, string>>;
}
