/** URLs of the bucket's S3 side. Made without a request: a batch of 500 costs computing time alone. */
import { AwsV4Signer } from "aws4fetch";
import type { S3Access } from "../env.ts";
import type { Access } from "./granter.ts";
import type { BucketKey } from "./keys.ts";

/**
 * All headers are signed, Content-Length among them: another length, a missing or another header is a 403 of the storage
 * (measured on the local one; R2 documents that the request must match what was signed).
 */
export async function presignedUrl(
  s3: S3Access,
  access: Access,
  headers: Record<string, string>,
  seconds: number,
): Promise<string> {
  const url = objectUrl(s3, access.key);
  url.searchParams.set("X-Amz-Expires", String(Math.floor(seconds)));
  if (access.method === "PUT" && access.part) {
    url.searchParams.set("partNumber", String(access.part.number));
    url.searchParams.set("uploadId", access.part.uploadId);
  }
  const signedHeaders = { ...headers };
  if (access.method === "PUT") signedHeaders["Content-Length"] = String(access.size);
  const signed = await new AwsV4Signer({
    ...signerOptions(s3),
    method: access.method,
    url: url.toString(),
    headers: signedHeaders,
    signQuery: true,
    allHeaders: true,
  }).sign();
  return signed.url.toString();
}

/** Path style: one host for every bucket, as R2's endpoint and the local one have it. */
export function objectUrl(s3: S3Access, key: BucketKey): URL {
  return new URL(`${s3.endpoint}/${encodeURIComponent(s3.bucket)}/${key.split("/").map(encoded).join("/")}`);
}

export function signerOptions({ accessKeyId, secretAccessKey }: S3Access) {
  return { accessKeyId, secretAccessKey, service: "s3", region: "auto" };
}

/** As SigV4 canonicalises paths: everything but the unreserved characters of RFC 3986. */
function encoded(segment: string): string {
  return encodeURIComponent(segment).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
