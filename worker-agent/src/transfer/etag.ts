/** What an ETag proves. */
import type { HttpAnswer } from "./http-client.ts";

/** True when the ETag is an MD5 and another one than this. */
export function contradicts(answer: HttpAnswer, md5: string): boolean {
  const claimed = claimedMd5(answer);
  return claimed !== undefined && claimed !== md5;
}

/**
 * The MD5 that the object's ETag claims to be. ETags of multipart uploads are opaque, and those of objects encrypted
 * with a customer's or KMS's key only look like an MD5.
 */
export function claimedMd5(answer: HttpAnswer): string | undefined {
  const encryption = answer.header("x-amz-server-side-encryption");
  if (encryption !== undefined && encryption !== "AES256") return undefined;
  if (answer.header("x-amz-server-side-encryption-customer-algorithm") !== undefined) return undefined;
  const etag = unquotedEtag(answer).toLowerCase();
  return /^[0-9a-f]{32}$/.test(etag) ? etag : undefined;
}

export function unquotedEtag(answer: HttpAnswer): string {
  return (answer.header("etag") ?? "").replace(/^W\//, "").replaceAll('"', "");
}
