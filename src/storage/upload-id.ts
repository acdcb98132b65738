/**
 * The id of an upload in parts, as clients know it: the storage's own id behind a mark of ours. The mark is kept with the
 * object, which so proves which upload made it: a completion repeated after a lost answer is told from any other object.
 */
export interface UploadName {
  mark: string;
  storageId: string;
}

/** Name of the mark in the object's metadata. */
export const markName = "kelpie-upload";

export function uploadIdOf({ mark, storageId }: UploadName): string {
  return `${mark}.${storageId}`;
}

/** Null: no id that was ever given out. */
export function parseUploadId(uploadId: string): UploadName | null {
  const [, mark, storageId] = /^([0-9a-f-]{36})\.(.+)$/.exec(uploadId) ?? [];
  return mark === undefined || storageId === undefined ? null : { mark, storageId };
}
