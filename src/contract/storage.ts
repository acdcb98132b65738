/**
 * Managed storage on the wire: what an agent asks under its lease, and what people ask under their credential. Protocol,
 * keys and guarantees: docs/storage.md. Bytes never go through these calls: they are about names, and answer URLs.
 */
import { z } from "zod";
import { Holder } from "./lease.ts";
import { limits } from "./limits.ts";
import { ManagedKey, ManagedPrefix } from "./managed-key.ts";
import { atMost, text } from "./text.ts";
import { Time } from "./time.ts";

/** Who asks: every call of an agent is fenced by its lease, and renews it. Only agents with a token have managed storage. */
export const LeaseProof = Holder.required();
export type LeaseProof = z.infer<typeof LeaseProof>;

export const Sha256 = z
  .string()
  .regex(/^[0-9a-f]{64}$/, { error: "is not a SHA-256 in lower-case hex" })
  .describe("SHA-256 of the bytes, in lower-case hex");
/** 16 bytes. Sent as Content-MD5: what arrives otherwise is refused by the storage. */
export const Md5 = z
  .string()
  .regex(/^[0-9a-f]{32}$/, { error: "is not an MD5 in lower-case hex" })
  .describe("MD5 of the bytes, in lower-case hex");

export const ObjectBytes = z.int().min(0).max(limits.objectBytes).describe("Bytes");
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

const object = {
  area: StorageArea.describe("The organization's files, or this attempt's outputs"),
  key: ManagedKey,
};
/** What a download will say of the object. */
export const content = {
  content_type: HeaderValue.optional().describe("Content-Type that a download will say"),
  content_encoding: HeaderValue.optional().describe("Content-Encoding that a download will say"),
};

export const UploadId = text(limits.urlChars).min(1).describe("Id of the upload, as its begin answered it");
/** A part of an upload: all of one size but the last (R2). */
export const part = {
  part_number: z.int().min(1).max(limits.parts).describe("Place of the part, from 1"),
  size: ObjectBytes.max(limits.partBytes).describe("Bytes of the part"),
  md5: Md5.optional(),
};

/** What a URL is wanted for; answered in request order. */
export const GrantRequest = z.discriminatedUnion("kind", [
  /** Reads an object that people see under this key. */
  z.object({
    kind: z.literal("get").describe("Read an object that people see under this key"),
    key: ManagedKey,
  }),
  /** Writes a whole object of exactly this size. */
  z.object({
    kind: z.literal("put").describe("Write a whole object of exactly this size"),
    ...object,
    ...content,
    size: ObjectBytes,
    md5: Md5.optional(),
  }),
  /** Writes a part of an upload begun with `POST /jobs/:id/storage/uploads`. */
  z.object({
    kind: z.literal("part").describe("Write a part of an upload"),
    ...object,
    upload_id: UploadId,
    ...part,
  }),
  /** Writes a chunk of the generation that this attempt assembles: once, never over another. */
  z.object({
    kind: z.literal("put_chunk").describe("Write a chunk of the generation that this attempt assembles"),
    generation: z.int().min(1).describe("Number of the generation within its attempt"),
    sha256: Sha256,
    md5: Md5,
    size: z.int().min(1).max(limits.chunkBytes).describe("Bytes"),
  }),
  /** Writes the manifest of the generation that this attempt assembles; a newer cut may have another. */
  z.object({
    kind: z.literal("put_manifest").describe("Write the manifest of that generation"),
    generation: z.int().min(1).describe("Number of the generation within its attempt"),
    sha256: Sha256,
    md5: Md5,
    size: z.int().min(1).max(limits.manifestBytes).describe("Bytes"),
  }),
  /** Reads a chunk, or a manifest, of this job. */
  z.object({
    kind: z.enum(["get_chunk", "get_manifest"]).describe("Read a chunk, or a manifest, of this job"),
    attempt: z.int().min(1).describe("The attempt that wrote it"),
    generation: z.int().min(1).describe("Number of the generation within its attempt"),
    sha256: Sha256,
  }),
]);
export type GrantRequest = z.infer<typeof GrantRequest>;

export const GrantsRequest = LeaseProof.extend({
  requests: atMost(limits.storageBatch, z.array(GrantRequest).min(1)).describe("What URLs are wanted for"),
});
export type GrantsRequest = z.infer<typeof GrantsRequest>;

/** One permission: this method on this URL with exactly these headers (and Content-Length), begun before it expires. */
export const Grant = z.object({
  method: z.enum(["GET", "PUT"]).describe("The one method that it permits"),
  url: z.string().describe("Where to; needs no other credential"),
  headers: z.record(z.string(), z.string()).describe("Headers to send, exactly these, by name"),
  expires_seconds: z.number().describe("Seconds from the sending of the request for it"),
});
export type Grant = z.infer<typeof Grant>;
export const Grants = z.object({ grants: z.array(Grant).describe("In the order of the request") });
export type Grants = z.infer<typeof Grants>;

/** An object as lists show it. */
export const StoredFile = z.object({
  key: z.string().describe("Path below the organization's root"),
  size: z.int().describe("Bytes"),
  modified: Time.describe("When it was written"),
  etag: z.string().describe("Without quotes; the MD5 in hex unless it was uploaded in parts"),
});
export type StoredFile = z.infer<typeof StoredFile>;

export const Cursor = ManagedKey.optional().describe("`next_cursor` of the page before");

export const StorageListRequest = LeaseProof.extend({ prefix: ManagedPrefix, cursor: Cursor });
export type StorageListRequest = z.infer<typeof StorageListRequest>;
/** In order of the keys' UTF-8 bytes. A page may be short, or empty, and have a next one. */
export const StoredFileList = z.object({
  _count: z.int().describe("Length of this page"),
  files: z.array(StoredFile).describe("The page"),
  next_cursor: z.string().nullable().describe("The next page's `cursor`; null: this is the last page"),
});
export type StoredFileList = z.infer<typeof StoredFileList>;

/** Deletes what people see under these keys; keys that are not there are no error. */
export const StorageDeleteRequest = LeaseProof.extend({
  keys: atMost(limits.storageBatch, z.array(ManagedKey).min(1)).describe("What to delete"),
});
export type StorageDeleteRequest = z.infer<typeof StorageDeleteRequest>;

/** Begins an object in parts; all of one size but the last (R2). */
export const UploadRequest = LeaseProof.extend({ ...object, ...content });
export type UploadRequest = z.infer<typeof UploadRequest>;
export const Upload = z.object({ upload_id: z.string().describe("Names the upload in its further steps") });
export type Upload = z.infer<typeof Upload>;

export const UploadedParts = atMost(
  limits.parts,
  z
    .array(
      z.object({
        part_number: z.int().min(1).max(limits.parts).describe("Place of the part, from 1"),
        etag: text(limits.urlChars).min(1).describe("As the answer to its upload told it"),
      }),
    )
    .min(1)
    // R2 has no fault of its own for it, and asks to try again for ever.
    .refine((parts) => new Set(parts.map(({ part_number }) => part_number)).size === parts.length, {
      error: "names a part twice",
    }),
).describe("All parts");
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
  ).describe("The outputs"),
});
export type OutputsRequest = z.infer<typeof OutputsRequest>;
export const OutputsAnswer = z.object({
  wrong: z
    .array(
      z.object({
        key: z.string().describe("Key of the output"),
        problem: z.enum(["missing", "size", "checksum"]).describe("What is not as it was told"),
      }),
    )
    .describe("Those that were not recorded"),
});
export type OutputsAnswer = z.infer<typeof OutputsAnswer>;
