import { createRoute } from "@hono/zod-openapi";
import { FilePartsRequest, FileUrlRequest, Grant, Grants, limits } from "../../contract/index.ts";
import { readJson } from "../../middleware/read-json.ts";
import { granterFor, storesOf } from "../../middleware/storage.ts";
import { requireManagedStorage } from "../../middleware/under-lease.ts";
import type { Access } from "../../storage/granter.ts";
import { type BucketKey, fileKey } from "../../storage/keys.ts";
import { locate } from "../../storage/locate.ts";
import { answer, jsonBody, operation, refusals } from "../operation.ts";
import { checkSize } from "../storage/check-size.ts";
import { uploadNameOf } from "../storage/upload-steps.ts";

const common = { method: "post" as const, tags: ["Files"], access: "people" as const };

const one = createRoute({
  ...common,
  path: "/files/urls",
  summary: "A URL to read or write one file with, without a credential; good for an hour at most",
  middleware: [readJson(limits.bodyBytes)],
  request: jsonBody(FileUrlRequest),
  responses: { 200: answer(Grant, "The permission"), ...refusals(400, 403, 413) },
});
export const grantUrl = operation(one, async (c) => {
  requireManagedStorage(c);
  const { method, key, size, md5, content_type, content_encoding, expires_seconds } = c.req.valid("json");
  const { userId } = c.var.principal;
  const granter = granterFor(c);
  let access: Access;
  if (method === "GET") {
    const [place] = await locate(storesOf(c), userId, [key]);
    access = { method, key: place as BucketKey };
  } else {
    const content = { contentType: content_type, contentEncoding: content_encoding };
    // The schema has seen to it that there is one.
    access = { method, key: fileKey(userId, key), size: size ?? 0, md5, ...content };
    checkSize(granter, access, "size");
  }
  return c.json(await granter.grant(access, expires_seconds), 200);
});

const parts = createRoute({
  ...common,
  path: "/files/uploads/part-urls",
  summary: "URLs for parts of a file",
  middleware: [readJson(limits.bodyBytes)],
  request: jsonBody(FilePartsRequest),
  responses: { 200: answer(Grants, "In the order of the request"), ...refusals(400, 403, 413) },
});
export const grantPartUrls = operation(parts, async (c) => {
  requireManagedStorage(c);
  const { key, upload_id, parts, expires_seconds } = c.req.valid("json");
  const { storageId } = uploadNameOf(upload_id, "upload_id");
  const place = fileKey(c.var.principal.userId, key);
  const granter = granterFor(c);
  const grants = parts.map(({ part_number, size, md5 }, index) => {
    const part = { uploadId: storageId, number: part_number };
    const access: Access = { method: "PUT", key: place, size, md5, part };
    checkSize(granter, access, `parts[${index}].size`);
    return granter.grant(access, expires_seconds);
  });
  return c.json({ grants: await Promise.all(grants) }, 200);
});
