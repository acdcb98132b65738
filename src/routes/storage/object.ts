/**
 * The API's own storage URLs (src/storage/sign-url.ts): whoever has one needs no other credential, so these stand before
 * `authenticate`. Where the bucket's S3 side is configured nobody is given such a URL.
 */
import { createRoute } from "@hono/zod-openapi";
import type { Context } from "hono";
import { limits } from "../../contract/index.ts";
import { configOf } from "../../env.ts";
import { ApiError } from "../../middleware/api-error.ts";
import type { AppEnv } from "../../middleware/app-env.ts";
import type { Access, Write } from "../../storage/granter.ts";
import { receive } from "../../storage/receive.ts";
import { objectPath, SignedQuery, verifySignedUrl } from "../../storage/sign-url.ts";
import { bytes, createRouter, operation, refusals } from "../operation.ts";
import { contentLength } from "./content-length.ts";
import { receivedError, serveObject } from "./object-error.ts";

const common = {
  path: objectPath,
  tags: ["Storage"],
  access: "anyone" as const,
  request: { query: SignedQuery },
};

const readRoute = createRoute({
  ...common,
  method: "get",
  summary: "Read an object by a URL that the API signed",
  responses: {
    200: { description: "The object", content: bytes },
    206: { description: "A range of it", content: bytes },
    304: { description: "Not modified" },
    ...refusals(400, 403, 404, 412, 416),
  },
});
const readObject = operation(readRoute, async (c) => {
  const access = await permittedBy(c, "GET", c.req.valid("query"));
  return serveObject(c, access.key);
});

const writeRoute = createRoute({
  ...common,
  method: "put",
  request: { ...common.request, body: { required: true, content: bytes } },
  summary: "Write an object, or a part of one, by a URL that the API signed",
  responses: {
    200: { description: "Stored; its ETag is in the header" },
    ...refusals(400, 403, 404, 411, 412, 413),
  },
});
const writeObject = operation(writeRoute, async (c) => {
  const access = await permittedBy(c, "PUT", c.req.valid("query"));
  const write = access as Write;
  const length = contentLength(c, limits.streamedBytes);
  if (length !== write.size) {
    throw new ApiError("invalid_request", {
      problem: `Content-Length is not ${write.size}, as was permitted`,
    });
  }
  const received = await receive(c.env.CHECKPOINTS, write, c.req.raw.body);
  if (!received.ok) throw receivedError(received.reason);
  return c.body(null, 200, {
    ETag: `"${received.etag}"`,
    "Access-Control-Expose-Headers": "ETag",
  });
});

/** What the URL permits; 403 if it is not ours, was changed, is for the other method, or its time has passed. */
async function permittedBy(c: Context<AppEnv>, method: "GET" | "PUT", query: SignedQuery): Promise<Access> {
  const { signingKey } = configOf(c.env);
  if (signingKey === null) throw new ApiError("forbidden", { problem: "this deployment signs no URLs" });
  const verified = await verifySignedUrl(signingKey, method, query, Date.now());
  if (verified.ok) return verified.access;
  const problem =
    verified.reason === "expired" ? "the URL has expired" : "the URL's signature does not match";
  throw new ApiError("forbidden", { problem });
}

export const storageObject = createRouter().openapiRoutes([readObject, writeObject]);
