/** An object of the bucket as an HTTP response: whole or one range, with its ETag, for GET and HEAD, streaming. */
import type { BucketKey } from "./keys.ts";
import { r2Outcome } from "./r2-fault.ts";

export type Served =
  | { ok: true; response: Response }
  | { ok: false; reason: "missing" | "range" | "precondition" }
  /** What the condition says is no list of ETags. */
  | { ok: false; reason: "condition"; header: string };

type Range = { offset: number; length?: number } | { suffix: number };

const conditions = ["If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since"];
const etags = /^(\*|(W\/)?"[!#-~]*"(\s*,\s*(W\/)?"[!#-~]*")*)$/;

export async function serve(bucket: R2Bucket, key: BucketKey, request: Request): Promise<Served> {
  // Hono answers HEAD with GET's handler. A HEAD has conditions as a GET has, but no range.
  const isHead = request.method === "HEAD";
  const malformed = conditions.slice(0, 2).find((name) => !etags.test(request.headers.get(name) ?? "*"));
  // R2 would throw, with no number to tell it by.
  if (malformed !== undefined) return { ok: false, reason: "condition", header: malformed };
  if (isHead && !conditions.some((name) => request.headers.has(name))) {
    const object = await bucket.head(key);
    return object ? { ok: true, response: headOf(object) } : { ok: false, reason: "missing" };
  }
  const range = isHead ? null : rangeOf(request.headers);
  if (range && "suffix" in range && range.suffix === 0) return { ok: false, reason: "range" };
  const outcome = await r2Outcome(() =>
    bucket.get(key, { onlyIf: request.headers, ...(range ? { range } : {}) }),
  ).catch(async (error: unknown) => {
    // A range of an object without any bytes is a fault that R2 has no number for.
    if (range && (await bucket.head(key))?.size === 0) return { fault: "range" as const };
    throw error;
  });
  if ("fault" in outcome) {
    if (outcome.fault === "range") return { ok: false, reason: "range" };
    throw new Error(`R2 refused a read: ${outcome.fault}`);
  }
  const object = outcome.value;
  if (!object) return { ok: false, reason: "missing" };
  const headers = headersOf(object);
  if (!("body" in object)) {
    const unchanged = request.headers.has("if-none-match") || request.headers.has("if-modified-since");
    if (!unchanged) return { ok: false, reason: "precondition" };
    return { ok: true, response: new Response(null, { status: 304, headers }) };
  }
  // Bytes go out as they are stored; otherwise the runtime would compress what says it is compressed.
  const encodeBody = headers.has("content-encoding") ? ("manual" as const) : ("automatic" as const);
  if (isHead) {
    await object.body.cancel();
    return { ok: true, response: headOf(object) };
  }
  if (!range) {
    headers.set("Content-Length", String(object.size));
    return { ok: true, response: new Response(object.body, { headers, encodeBody }) };
  }
  const { first, bytes } = spanOf(range, object.size);
  headers.set("Content-Range", `bytes ${first}-${first + bytes - 1}/${object.size}`);
  headers.set("Content-Length", String(bytes));
  return { ok: true, response: new Response(object.body, { status: 206, headers, encodeBody }) };
}

function headOf(object: R2Object): Response {
  const headers = headersOf(object);
  headers.set("Content-Length", String(object.size));
  return new Response(null, { headers });
}

function headersOf(object: R2Object): Headers {
  const headers = new Headers({
    "Content-Type": "application/octet-stream",
    ETag: object.httpEtag,
    "Last-Modified": object.uploaded.toUTCString(),
    "Accept-Ranges": "bytes",
    // Whoever may read it today may not tomorrow, and a key can get other content.
    "Cache-Control": "private, no-cache",
    // It is data, whatever it says it is: a browser must not run it as a page of the API.
    "X-Content-Type-Options": "nosniff",
    "Content-Disposition": "attachment",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
    "Referrer-Policy": "no-referrer",
    // A response made here passes Hono's headers by; pages may also read what ranges and conditions need.
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "ETag, Content-Range",
  });
  const { contentType, contentEncoding } = object.httpMetadata ?? {};
  if (contentType) headers.set("Content-Type", contentType);
  if (contentEncoding) headers.set("Content-Encoding", contentEncoding);
  return headers;
}

/** One range of bytes; anything else (several, other units, `If-Range`) is answered whole, as HTTP allows. */
function rangeOf(headers: Headers): Range | null {
  const [, first = "", last = ""] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(headers.get("range") ?? "") ?? [];
  if ((first === "" && last === "") || headers.has("if-range")) return null;
  if (first === "") return { suffix: Number(last) };
  if (last === "") return { offset: Number(first) };
  if (Number(last) < Number(first)) return null;
  return { offset: Number(first), length: Number(last) - Number(first) + 1 };
}

function spanOf(range: Range, size: number): { first: number; bytes: number } {
  if ("suffix" in range) {
    const bytes = Math.min(range.suffix, size);
    return { first: size - bytes, bytes };
  }
  const { offset, length = size } = range;
  return { first: offset, bytes: Math.min(length, size - offset) };
}
