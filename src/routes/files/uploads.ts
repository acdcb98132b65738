/** Files in parts, for people. The steps are those of the agents' routes. */
import { createRoute } from "@hono/zod-openapi";
import {
  FileUploadAbortion,
  FileUploadCompletion,
  FileUploadRequest,
  limits,
  Message,
  Upload,
} from "../../contract/index.ts";
import { readJson } from "../../middleware/read-json.ts";
import { requireManagedStorage } from "../../middleware/under-lease.ts";
import { fileKey } from "../../storage/keys.ts";
import { answer, jsonBody, operation, refusals } from "../operation.ts";
import { abort, begin, complete } from "../storage/upload-steps.ts";

const common = { method: "post" as const, tags: ["Files"], access: "people" as const };

const beginRoute = createRoute({
  ...common,
  path: "/files/uploads",
  summary: "Begin a file in parts; what is not completed vanishes after seven days",
  middleware: [readJson(limits.bodyBytes)],
  request: jsonBody(FileUploadRequest),
  responses: { 200: answer(Upload, "Begun"), ...refusals(400, 403, 413, 503) },
});
export const beginFile = operation(beginRoute, async (c) => {
  requireManagedStorage(c);
  const { key, ...content } = c.req.valid("json");
  return c.json(await begin(c, fileKey(c.var.principal.userId, key), content), 200);
});

const completeRoute = createRoute({
  ...common,
  path: "/files/uploads/complete",
  summary: "Put the parts of a file together: only then it is there",
  middleware: [readJson(limits.batchBodyBytes)],
  request: jsonBody(FileUploadCompletion),
  responses: { 200: answer(Message, "The file is there"), ...refusals(400, 403, 404, 409, 413, 503) },
});
export const completeFile = operation(completeRoute, async (c) => {
  requireManagedStorage(c);
  const { key, ...whole } = c.req.valid("json");
  await complete(c, fileKey(c.var.principal.userId, key), whole);
  return c.json({ message: "Upload completed" }, 200);
});

const abortRoute = createRoute({
  ...common,
  path: "/files/uploads/abort",
  summary: "Give a file in parts up",
  middleware: [readJson(limits.bodyBytes)],
  request: jsonBody(FileUploadAbortion),
  responses: { 200: answer(Message, "Its parts are gone"), ...refusals(400, 403, 413, 503) },
});
export const abortFile = operation(abortRoute, async (c) => {
  requireManagedStorage(c);
  const { key, upload_id } = c.req.valid("json");
  await abort(c, fileKey(c.var.principal.userId, key), upload_id);
  return c.json({ message: "Upload aborted" }, 200);
});
