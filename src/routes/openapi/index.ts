/** `GET /openapi.json`. Needs no credential: it tells nothing that the source does not. */
import { Hono } from "hono";
import { hexOf } from "../../domain/hex.ts";
import { allow } from "../../middleware/access.ts";
import type { AppEnv } from "../../middleware/app-env.ts";
import { sha256 } from "../../middleware/sha256.ts";
import type { DocumentedRoute } from "../operation.ts";
import { buildDocument } from "./document.ts";

/** Changes with a deploy alone. */
const cacheSeconds = 300;

/** `routes` is asked once per isolate, by the first who wants the document: a start should not pay for it. */
export function openApi(routes: () => DocumentedRoute[]): Hono<AppEnv> {
  // Not the making of it: that ends with the request that began it, and whoever waited for it would wait for ever.
  let made: { text: string; etag: string } | undefined;
  return new Hono<AppEnv>().get("/openapi.json", allow("anyone"), async (c) => {
    made ??= await make(routes());
    const { text, etag } = made;
    c.header("ETag", etag);
    c.header("Cache-Control", `public, max-age=${cacheSeconds}`);
    if (c.req.header("if-none-match") === etag) return c.body(null, 304);
    return c.body(text, 200, { "Content-Type": "application/json" });
  });
}

async function make(routes: DocumentedRoute[]) {
  const text = JSON.stringify(buildDocument(routes));
  return { text, etag: `"${hexOf(await sha256(text)).slice(0, 32)}"` };
}
