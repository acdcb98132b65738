/**
 * Managed storage on the wire: what an agent asks under its lease, and what people ask under their credential. Protocol,
 * keys and guarantees: docs/storage.md. Bytes never go through these calls: they are about names, and answer URLs.
 */
import { z } from "zod";
import { Holder } from "./lease.ts";
import { limits } from "./limits.ts";
import { ManagedKey, ManagedPrefix } from "./managed-key.ts";
import { atMost, text } from "./text.ts";

/** Who asks: every call of an agent is fenced by its lease, and renews it. Only agents with a token have managed storage. */
export const LeaseProof = Holder.required();
export type LeaseProof = z.infer<typeof LeaseProof>;

export const Sha256 = z.string().regex(/^[0-9a-f]{64}$/, { error: "is not a SHA-256 in lower-case hex" });
/** 16 bytes. Sent as Content-MD5: what arrives otherwise is refused by the storage. */
export const Md5 = z.string().regex(/^[0-9a-f]{32}$/, { error: "is not an MD5 in lower-case hex" });

export const ObjectBytes = z.int().min(0).max(limits.objectBytes);
/** Of Content-Type and Content-Encoding, as they are kept with an object. */
export const HeaderValue = z
  .string()
  .max(limits.nameChars)
  .regex(/^[\x20-\x7e]*$/, { error: "must be printable ASCII" });

/**
 * Where an object of a mirror or an upload belongs.
 * - `files`: what the organization sees below its root.
 * - `outputs`: this attempt's own place; seen under the same key once this very attempt has completed the job.
 */
export const StorageArea = z.enum(["files", "outputs"]);
export type StorageArea = z.infer<typeof StorageArea>;

const object = { area: StorageArea, key: ManagedKey };
/** What a download will say of the object. */
export const content = { content_type: HeaderValue.optional(), content_encoding: HeaderValue.optional() };

export const UploadId = text(limits.urlChars).min(1);
/** A part of an upload: all of one size but the last (R2). */
export const part = {
  part_number: z.int().min(1).max(limits.parts),
  size: ObjectBytes.max(limits.partBytes),
  md5: Md5.optional(),
};

/** What a URL is wanted for; answered in request order. */
export const GrantRequest = z.discriminatedUnion("kind", [
  /** Reads an object that people see under this key. */
  z.object({ kind: z.literal("get"), key: ManagedKey }),
  /** Writes a whole object of exactly this size. */
  z.object({ kind: z.literal("put"), ...object, ...content, size: ObjectBytes, md5: Md5.optional() }),
  /** Writes a part of an upload begun with `POST /jobs/:id/storage/uploads`. */
  z.object({
    kind: z.literal("part"),
    ...object,
    upload_id: UploadId,
    ...part,
  }),
  /** Writes a chunk of the generation that this attempt assembles: once, never over another. */
  z.object({
    kind: z.literal("put_chunk"),
    generation: z.int().min(1),
    sha256: Sha256,
    md5: Md5,
    size: z.int().min(1).max(limits.chunkBytes),
  }),
  /** Writes the manifest of the generation that this attempt assembles; a newer cut may have another. */
  z.object({
    kind: z.literal("put_manifest"),
    generation: z.int().min(1),
    sha256: Sha256,
    md5: Md5,
    size: z.int().min(1).max(limits.manifestBytes),
  }),
  /** Reads a chunk, or a manifest, of this job. */
  z.object({
    kind: z.enum(["get_chunk", "get_manifest"]),
    attempt: z.int().min(1),
    generation: z.int().min(1),
    sha256: Sha256,
  }),
]);
export type GrantRequest = z.infer<typeof GrantRequest>;

export const GrantsRequest = LeaseProof.extend({
  requests: atMost(limits.storageBatch, z.array(GrantRequest).min(1)),
});
export type GrantsRequest = z.infer<typeof GrantsRequest>;

/** One permission: this method on this URL with exactly these headers (and Content-Length), begun before it expires. */
export const Grant = z.object({
  method: z.enum(["GET", "PUT"]),
  url: z.string(),
  headers: z.record(z.string(), z.string()),
  expires_seconds: z.number().describe("From the sending of the request for it"),
});
export type Grant = z.infer<typeof Grant>;
export const Grants = z.object({ grants: z.array(Grant) });
export type Grants = z.infer<typeof Grants>;

/** An object as lists show it. */
export const StoredFile = z.object({
  key: z.string(),
  size: z.int().describe("Bytes"),
  modified: z.iso.datetime(),
  etag: z.string().describe("Without quotes; the MD5 in hex unless it was uploaded in parts"),
});
export type StoredFile = z.infer<typeof StoredFile>;

export const Cursor = ManagedKey.optional().describe("`next_cursor` of the page before");

export const StorageListRequest = LeaseProof.extend({ prefix: ManagedPrefix, cursor: Cursor });
export type StorageListRequest = z.infer<typeof StorageListRequest>;
/** In order of the keys' UTF-8 bytes. A page may be short, or empty, and have a next one. */
export const StoredFileList = z.object({
  _count: z.int(),
  files: z.array(StoredFile),
  next_cursor: z.string().nullable(),
});
export type StoredFileList = z.infer<typeof StoredFileList>;

/** Deletes what people see under these keys; keys that are not there are no error. */
export const StorageDeleteRequest = LeaseProof.extend({
  keys: atMost(limits.storageBatch, z.array(ManagedKey).min(1)),
});
export type StorageDeleteRequest = z.infer<typeof StorageDeleteRequest>;

/** Begins an object in parts; all of one size but the last (R2). */
export const UploadRequest = LeaseProof.extend({ ...object, ...content });
export type UploadRequest = z.infer<typeof UploadRequest>;
export const Upload = z.object({ upload_id: z.string() });
export type Upload = z.infer<typeof Upload>;

export const UploadedParts = atMost(
  limits.parts,
  z
    .array(z.object({ part_number: z.int().min(1).max(limits.parts), etag: text(limits.urlChars).min(1) }))
    .min(1),
);
/** Puts the parts together: only then anybody sees the object. A repeat after a lost answer succeeds. */
export const UploadCompletion = LeaseProof.extend({
  ...object,
  upload_id: UploadId,
  size: ObjectBytes.describe("Of the whole; another size is a 409"),
  parts: UploadedParts,
});
export type UploadCompletion = z.infer<typeof UploadCompletion>;
export const UploadAbortion = LeaseProof.extend({ ...object, upload_id: UploadId });
export type UploadAbortion = z.infer<typeof UploadAbortion>;

/**
 * Says which outputs this attempt has uploaded. Those that are there in the said size (and MD5, where one is given and known)
 * are recorded; the rest comes back. Recorded outputs are published by the job's completion by this attempt, by nothing else.
 */
export const OutputsRequest = LeaseProof.extend({
  files: atMost(
    limits.storageBatch,
    z.array(z.object({ key: ManagedKey, size: ObjectBytes, md5: Md5.optional() })).min(1),
  ),
});
export type OutputsRequest = z.infer<typeof OutputsRequest>;
export const OutputsAnswer = z.object({
  wrong: z.array(z.object({ key: z.string(), problem: z.enum(["missing", "size", "checksum"]) })),
});
export type OutputsAnswer = z.infer<typeof OutputsAnswer>;
