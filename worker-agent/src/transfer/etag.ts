/** What an ETag proves. */
import type { HttpAnswer } from "./http-client.ts";

/**
 * True when the ETag is an MD5 and another one than that of the bytes sent. ETags of multipart uploads are opaque, and
 * those of objects encrypted with a customer's or KMS's key only look like an MD5.
 */
export function etagContradicts(answer: HttpAnswer, md5: string): boolean {
  const encryption = answer.header("x-amz-server-side-encryption");
  if (encryption !== undefined && encryption !== "AES256") return false;
  if (answer.header("x-amz-server-side-encryption-customer-algorithm") !== undefined) return false;
  const etag = bareEtag(answer.header("etag"));
  return /^[0-9a-f]{32}$/.test(etag) && etag !== md5;
}

function bareEtag(etag: string | undefined): string {
  return (etag ?? "").replace(/^W\//, "").replaceAll('"', "").toLowerCase();
}
