/**
 * Permissions to move the bytes of one object, as URLs. Two ways to make them, and whoever uses one cannot tell which: presigned
 * ones of the bucket's S3 side, and the API's own, through which bytes stream (docs/storage.md, "Grants").
 */
import { type Grant, limits } from "../contract/index.ts";
import { type Config, hasManagedStorage } from "../env.ts";
import { type Content, contentHeadersOf } from "./content.ts";
import type { BucketKey } from "./keys.ts";
import { base64OfHex } from "./md5.ts";
import { presignedUrl } from "./presign.ts";
import { signedUrl } from "./sign-url.ts";

export interface Read {
  method: "GET";
  key: BucketKey;
}

/** A whole object, or a part of one. Everything here is signed: what arrives otherwise is refused. */
export interface Write extends Content {
  method: "PUT";
  key: BucketKey;
  size: number;
  /** Hex. */
  md5?: string | undefined;
  /** Never over an object that is there. */
  onlyIfAbsent?: boolean;
  /** Only over the object that has this ETag. Of no URL. */
  onlyIfEtag?: string;
  part?: { uploadId: string; number: number };
}
export type Access = Read | Write;

export interface Granter {
  /** `seconds`: how long the URL may be used to begin a transfer. */
  grant(access: Access, seconds: number): Promise<Grant>;
  /** What one URL can carry. */
  maxBytes: number;
}

/** A URL's time is cut to the second; who is told so many seconds has them whole. */
const lostToRounding = 1;

/** `apiOrigin`: where whoever asks reaches this API. */
export function granterOf(config: Config, apiOrigin: string): Granter {
  const { s3, signingKey } = config;
  if (!hasManagedStorage(config)) throw new Error("there is no managed storage to grant");
  return {
    maxBytes: s3 ? Number.POSITIVE_INFINITY : limits.streamedBytes,
    async grant(access, seconds) {
      const headers = access.method === "PUT" ? headersOf(access) : {};
      const url = s3
        ? await presignedUrl(s3, access, headers, seconds)
        : await signedUrl(signingKey ?? "", apiOrigin, access, Date.now() + seconds * 1000);
      return { method: access.method, url, headers, expires_seconds: seconds - lostToRounding };
    },
  };
}

/** What has to be sent, Content-Length apart: HTTP clients set that one themselves. */
function headersOf(write: Write): Record<string, string> {
  return {
    ...(write.md5 === undefined ? {} : { "Content-MD5": base64OfHex(write.md5) }),
    ...contentHeadersOf(write),
    ...(write.onlyIfAbsent ? { "If-None-Match": "*" } : {}),
  };
}
