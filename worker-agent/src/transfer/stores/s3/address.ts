/** Where an object lives: bucket and key as a URL of which every character survives signing. */
import { Refused } from "../../failures.ts";

/** Every character but the unreserved ones of RFC 3986 is escaped, as SigV4 asks; "/" stays. */
export function escapeKey(key: string): string {
  return key.split("/").map(escapeText).join("/");
}

/** The URL's query in the order given; SigV4 sorts its own copy. */
export function escapeQuery(query: Record<string, string>): string {
  return Object.entries(query)
    .map(([name, value]) => `${escapeText(name)}=${escapeText(value)}`)
    .join("&");
}

function escapeText(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/**
 * Path-style below the endpoint, which may have a path of its own. AWS serves path-style for every bucket, dots
 * in its name included.
 *
 * @throws Refused for "." and ".." segments: URLs resolve them, so they would name another key or bucket.
 */
export function objectUrl(endpoint: string, bucket: string, key = ""): string {
  for (const segment of [bucket, ...key.split("/")]) {
    if (segment === "." || segment === "..") {
      throw new Refused(`a "${segment}" in the path of "${bucket}/${key}" cannot be addressed`);
    }
  }
  // A lone surrogate has no UTF-8 and so no key.
  if (!key.isWellFormed()) throw new Refused(`the key "${key.toWellFormed()}" is not valid Unicode`);
  return `${endpoint.replace(/\/+$/, "")}/${escapeText(bucket)}${key === "" ? "" : `/${escapeKey(key)}`}`;
}

/** The S3 endpoint of AWS itself. */
export function awsEndpoint(region: string): string {
  const suffix = region.startsWith("cn-") ? "amazonaws.com.cn" : "amazonaws.com";
  // R2's "auto" is no region of AWS.
  return `https://s3.${region === "auto" ? "us-east-1" : region}.${suffix}`;
}
