/**
 * Managed storage for people: their organization's own root, by their own credential. `files/KEY` and published outputs of jobs
 * are one tree, the newest object of each key. How bytes go: docs/storage.md.
 */
import { z } from "zod";
import { limits } from "./limits.ts";
import { ManagedKey, ManagedPrefix } from "./managed-key.ts";
import { Cursor, content, Md5, ObjectBytes, part, UploadedParts, UploadId } from "./storage.ts";
import { atMost, wholeNumber } from "./text.ts";

export const FilesQuery = z.object({
  prefix: ManagedPrefix.default(""),
  cursor: Cursor,
  limit: wholeNumber(1, limits.pageSize).default(100).describe("Files of one page, at most"),
});
export type FilesQuery = z.infer<typeof FilesQuery>;

/** `prefix` must be said, though it may be empty: everything. */
export const FilesDeletion = z.object({
  prefix: ManagedPrefix,
  cursor: Cursor,
  limit: wholeNumber(1, limits.pageSize)
    .default(limits.pageSize)
    .describe("Files to delete in this call, at most"),
});
export type FilesDeletion = z.infer<typeof FilesDeletion>;
export const FilesDeleted = z.object({
  count: z.int().describe("Files deleted by this call"),
  next_cursor: z.string().nullable().describe("There may be more: call again with it. Null: nothing is left"),
});
export type FilesDeleted = z.infer<typeof FilesDeleted>;

/** A URL is good for an hour at most: nothing can take it back. */
const Expiry = z.int().min(1).max(3600).default(3600).describe("Seconds for which it is good");

/** One URL, for whoever is to read or write one file without a credential. */
export const FileUrlRequest = z
  .object({
    method: z.enum(["GET", "PUT"]).describe("To read, or to write"),
    key: ManagedKey,
    size: ObjectBytes.optional().describe("Of a PUT: exactly so many bytes; required"),
    md5: Md5.optional().describe("Of a PUT: of the bytes, in hex; others are refused"),
    ...content,
    expires_seconds: Expiry,
  })
  .superRefine(({ method, size }, context) => {
    if (method === "GET" || size !== undefined) return;
    context.addIssue({
      code: "custom",
      path: ["size"],
      message: "is missing: a URL to write is for exactly so many bytes",
    });
  });
export type FileUrlRequest = z.infer<typeof FileUrlRequest>;

/** Begins a file in parts. Unfinished ones vanish after seven days. */
export const FileUploadRequest = z.object({ key: ManagedKey, ...content });
export type FileUploadRequest = z.infer<typeof FileUploadRequest>;

const upload = { key: ManagedKey, upload_id: UploadId };

/** URLs for parts of it, in the order of the request. */
export const FilePartsRequest = z.object({
  ...upload,
  parts: atMost(limits.storageBatch, z.array(z.object(part)).min(1)).describe(
    "Parts that URLs are wanted for",
  ),
  expires_seconds: Expiry,
});
export type FilePartsRequest = z.infer<typeof FilePartsRequest>;

/** A repeat after a lost answer succeeds. */
export const FileUploadCompletion = z.object({
  ...upload,
  size: ObjectBytes.describe("Of the whole; another size is a 409"),
  parts: UploadedParts,
});
export type FileUploadCompletion = z.infer<typeof FileUploadCompletion>;
export const FileUploadAbortion = z.object(upload);
export type FileUploadAbortion = z.infer<typeof FileUploadAbortion>;
