/**
 * The id of an upload in parts, as clients know it: the storage's own id behind a mark of ours. The mark is kept with the
 * object, which so proves which upload made it: a completion repeated after a lost answer is told from any other object.
 */
export interface UploadName {
  mark: string;
  storageId: string;
  /** Beginning of the SHA-256 of the object's key, hex: with another key R2 has no fault of its own for it, and asks to try again. */
  keyHash: string;
}

/** Name of the mark in the object's metadata. */
export const markName = "kelpie-upload";

export function uploadIdOf({ mark, keyHash, storageId }: UploadName): string {
  return `${mark}.${keyHash}.${storageId}`;
}

/** Null: no id that was ever given out. */
export function parseUploadId(uploadId: string): UploadName | null {
  const [, mark, keyHash, storageId] = /^([0-9a-f-]{36})\.([0-9a-f]{16})\.(.+)$/.exec(uploadId) ?? [];
  if (mark === undefined || keyHash === undefined || storageId === undefined) return null;
  return { mark, keyHash, storageId };
}
