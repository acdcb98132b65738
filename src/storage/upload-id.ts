/**
 * The id of an upload in parts, as clients know it: the storage's own id behind a mark of ours. The mark is kept with the
 * object, which so proves which upload made it: a completion repeated after a lost answer is told from any other object.
 */
export interface UploadName {
  mark: string;
  storageId: string;
  /**
   * Beginning of the SHA-256 of the other two and the object's key, hex: of an upload that was never begun, or with another key, R2 may
   * have no fault of its own, and asks to try again.
   */
  check: string;
}

/** Name of the mark in the object's metadata. */
export const markName = "kelpie-upload";

export function uploadIdOf({ mark, check, storageId }: UploadName): string {
  return `${mark}.${check}.${storageId}`;
}

/** Null: no id that was ever given out. */
export function parseUploadId(uploadId: string): UploadName | null {
  const [, mark, check, storageId] = /^([0-9a-f-]{36})\.([0-9a-f]{16})\.(.+)$/.exec(uploadId) ?? [];
  if (mark === undefined || check === undefined || storageId === undefined) return null;
  return { mark, check, storageId };
}
