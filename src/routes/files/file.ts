/** One file of the organization, by its path: `GET` (and `HEAD`), `PUT`, `DELETE /files/KEY`. Bytes stream through the API. */
import { createRoute, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import { HeaderValue, limits, Message } from "../../contract/index.ts";
import { ApiError } from "../../middleware/api-error.ts";
import type { AppEnv } from "../../middleware/app-env.ts";
import { storesOf } from "../../middleware/storage.ts";
import { requireManagedStorage } from "../../middleware/under-lease.ts";
import { deleteFiles } from "../../storage/delete-files.ts";
import { type BucketKey, fileKey } from "../../storage/keys.ts";
import { locate } from "../../storage/locate.ts";
import { receive } from "../../storage/receive.ts";
import { headerOf } from "../header.ts";
import { answer, bytes, refusals } from "../operation.ts";
import { contentLength } from "../storage/content-length.ts";
import { receivedError, serveObject } from "../storage/object-error.ts";
import { refuseConditions, writeConditions } from "./conditions.ts";
import { keyOfPath } from "./key-of-path.ts";

const common = {
  path: "/files/{key}",
  tags: ["Files"],
  access: "people" as const,
  request: {
    params: z.object({
      key: z
        .string()
        .min(1)
        .describe("Path of the file. May contain `/` as it is; anything odd percent-encoded"),
    }),
  },
};

export const readRoute = createRoute({
  ...common,
  method: "get",
  summary: "Read a file, or a published output of a job",
  responses: {
    200: { description: "The file", content: bytes },
    206: { description: "The range that was asked for", content: bytes },
    304: { description: "Not modified" },
    ...refusals(400, 403, 404, 412, 416),
  },
});
export async function readFile(c: Context<AppEnv>): Promise<Response> {
  requireManagedStorage(c);
  const key = keyOfPath(c);
  const [place] = await locate(storesOf(c), c.var.principal.userId, [key]);
  return serveObject(c, place as BucketKey);
}

export const writeRoute = createRoute({
  ...common,
  method: "put",
  request: { ...common.request, body: { required: true, content: bytes } },
  summary: "Write a file of at most 100 MB; larger ones by URLs",
  description:
    "Keeps Content-Type and Content-Encoding. With `If-None-Match: *`: only if there is none yet; with `If-Match`: only over the file of that ETag.",
  responses: {
    200: answer(Message, "Stored; its ETag is in the header"),
    ...refusals(400, 403, 411, 412, 413),
  },
});
export async function writeFile(c: Context<AppEnv>): Promise<Response> {
  requireManagedStorage(c);
  const write = {
    method: "PUT" as const,
    key: fileKey(c.var.principal.userId, keyOfPath(c)),
    size: contentLength(c, limits.streamedBytes),
    // Kept with the object, by the rules of granted URLs.
    contentType: headerOf(c, "Content-Type", HeaderValue),
    contentEncoding: headerOf(c, "Content-Encoding", HeaderValue),
    ...writeConditions(c),
  };
  const received = await receive(c.env.CHECKPOINTS, write, c.req.raw.body);
  if (!received.ok) throw receivedError(received.reason);
  return c.json({ message: "Stored" }, 200, {
    ETag: `"${received.etag}"`,
    "Access-Control-Expose-Headers": "ETag",
  });
}

export const deleteRoute = createRoute({
  ...common,
  method: "delete",
  summary: "Delete a file, and published outputs of that key",
  responses: { 200: answer(Message, "It is gone, if it was there"), ...refusals(400, 403, 503) },
});
export async function deleteFile(c: Context<AppEnv>): Promise<Response> {
  requireManagedStorage(c);
  refuseConditions(c);
  const done = await deleteFiles(storesOf(c), c.var.principal.userId, [keyOfPath(c)]);
  if (!done) throw new ApiError("unavailable", {});
  return c.json({ message: "Deleted" }, 200);
}
