/** An object of the bucket as an HTTP response: whole or one range, with its ETag, for GET and HEAD, streaming. */
import type { BucketKey } from "./keys.ts";
import { r2Outcome } from "./r2-fault.ts";

export type Served =
  | { ok: true; response: Response }
  | { ok: false; reason: "missing" | "range" | "precondition" };

export async function serve(bucket: R2Bucket, key: BucketKey, request: Request): Promise<Served> {
  // Hono answers HEAD with GET's handler, but nothing would read the body of the object.
  if (request.method === "HEAD") {
    const object = await bucket.head(key);
    if (!object) return { ok: false, reason: "missing" };
    const headers = headersOf(object);
    headers.set("Content-Length", String(object.size));
    return { ok: true, response: new Response(null, { headers }) };
  }
  const range = rangeOf(request.headers);
  const outcome = await r2Outcome(() =>
    bucket.get(key, { onlyIf: request.headers, ...(range ? { range } : {}) }),
  );
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
  if (!range) {
    headers.set("Content-Length", String(object.size));
    return { ok: true, response: new Response(object.body, { headers, encodeBody }) };
  }
  const { first, bytes } = spanOf(range, object.size);
  headers.set("Content-Range", `bytes ${first}-${first + bytes - 1}/${object.size}`);
  headers.set("Content-Length", String(bytes));
  return { ok: true, response: new Response(object.body, { status: 206, headers, encodeBody }) };
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
function rangeOf(headers: Headers): R2Range | null {
  const [, first = "", last = ""] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(headers.get("range") ?? "") ?? [];
  if ((first === "" && last === "") || headers.has("if-range")) return null;
  if (first === "") return { suffix: Number(last) };
  if (last === "") return { offset: Number(first) };
  if (Number(last) < Number(first)) return null;
  return { offset: Number(first), length: Number(last) - Number(first) + 1 };
}

function spanOf(range: R2Range, size: number): { first: number; bytes: number } {
  if ("suffix" in range) {
    const bytes = Math.min(range.suffix, size);
    return { first: size - bytes, bytes };
  }
  const first = range.offset ?? 0;
  return { first, bytes: Math.min(range.length ?? size, size - first) };
}
