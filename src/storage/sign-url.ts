/**
 * Storage URLs that the API serves itself: everything that counts stands in the query, under one HMAC-SHA256. The key is in the
 * query and not in the path, where clients and proxies resolve `..` and fold `//`. The signature is hex, which Workers
 * Logs redact; our own log tells paths without queries.
 */

import { z } from "zod";
import { limits } from "../contract/index.ts";
import { bytesOfHex, hexOf } from "../domain/hex.ts";
import type { Access } from "./granter.ts";
import type { BucketKey } from "./keys.ts";

/** Of the API; both methods. */
export const objectPath = "/storage/object";

/** What stands in a URL, as text. Which of them belong together is what the signature vouches for. */
export const SignedQuery = z.object({
  key: z.string().min(1).max(limits.urlChars).describe("Where in the bucket"),
  expires: z
    .string()
    .regex(/^\d{1,16}$/)
    .describe("Milliseconds since the epoch"),
  size: z
    .string()
    .regex(/^\d{1,16}$/)
    .optional()
    .describe("Bytes to be written, exactly"),
  md5: z.string().max(32).optional().describe("MD5 of the bytes, in hex"),
  type: z.string().max(limits.nameChars).optional().describe("Content-Type to keep"),
  encoding: z.string().max(limits.nameChars).optional().describe("Content-Encoding to keep"),
  absent: z.literal("1").optional().describe("Only if there is no such object"),
  upload: z.string().max(limits.urlChars).optional().describe("The upload that the part belongs to"),
  part: z
    .string()
    .regex(/^\d{1,5}$/)
    .optional()
    .describe("Place of the part, from 1"),
  signature: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .describe("The API's own, over all of the above"),
});
export type SignedQuery = z.infer<typeof SignedQuery>;
type Unsigned = Omit<SignedQuery, "signature">;

export async function signedUrl(
  signingKey: string,
  apiOrigin: string,
  access: Access,
  expiresMs: number,
): Promise<string> {
  const query = queryOf(access, expiresMs);
  const key = await hmacKey(signingKey);
  const mac = new Uint8Array(await crypto.subtle.sign("HMAC", key, signedBytes(access.method, query)));
  const given = Object.entries({ ...query, signature: hexOf(mac) }).filter(
    ([, value]) => value !== undefined,
  );
  return `${apiOrigin}${objectPath}?${new URLSearchParams(given as [string, string][])}`;
}

export type Verified = { ok: true; access: Access } | { ok: false; reason: "forged" | "expired" };

/** What the URL permits, if it is one of ours and its time has not passed. */
export async function verifySignedUrl(
  signingKey: string,
  method: "GET" | "PUT",
  { signature, ...query }: SignedQuery,
  nowMs: number,
): Promise<Verified> {
  const mac = bytesOfHex(signature);
  const key = await hmacKey(signingKey);
  // `verify` compares in constant time.
  const ours = await crypto.subtle.verify("HMAC", key, mac, signedBytes(method, query));
  if (!ours) return { ok: false, reason: "forged" };
  if (nowMs > Number(query.expires)) return { ok: false, reason: "expired" };
  return { ok: true, access: accessOf(method, query) };
}

function queryOf(access: Access, expiresMs: number): Unsigned {
  const common = { key: access.key as string, expires: String(Math.floor(expiresMs)) };
  if (access.method === "GET") return common;
  return {
    ...common,
    size: String(access.size),
    md5: access.md5,
    type: access.contentType,
    encoding: access.contentEncoding,
    absent: access.onlyIfAbsent ? "1" : undefined,
    upload: access.part?.uploadId,
    part: access.part === undefined ? undefined : String(access.part.number),
  };
}

/** The way back; only for a query whose signature has been verified: its key was made by keys.ts. */
function accessOf(method: "GET" | "PUT", query: Unsigned): Access {
  const key = query.key as BucketKey;
  if (method === "GET") return { method, key };
  const part =
    query.upload === undefined ? {} : { part: { uploadId: query.upload, number: Number(query.part) } };
  return {
    method,
    key,
    size: Number(query.size),
    md5: query.md5,
    contentType: query.type,
    contentEncoding: query.encoding,
    onlyIfAbsent: query.absent === "1",
    ...part,
  };
}

/** An array, so that no two sets of values have the same text. The first entry names this format. */
function signedBytes(method: string, q: Unsigned): Uint8Array {
  const values = [q.key, q.expires, q.size, q.md5, q.type, q.encoding, q.absent, q.upload, q.part];
  const text = JSON.stringify(["kelpie-storage-1", method, ...values.map((value) => value ?? null)]);
  return new TextEncoder().encode(text);
}

const keys = new Map<string, Promise<CryptoKey>>();

/** Imported once per isolate. */
function hmacKey(secret: string): Promise<CryptoKey> {
  const known = keys.get(secret);
  if (known) return known;
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const bytes = new TextEncoder().encode(secret);
  const imported = crypto.subtle.importKey("raw", bytes, algorithm, false, ["sign", "verify"]);
  keys.set(secret, imported);
  return imported;
}
