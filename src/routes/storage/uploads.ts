/** Objects in parts, for agents: each step renews the lease. People's are in routes/files. */
import { createRoute } from "@hono/zod-openapi";
import {
  limits,
  Message,
  Upload,
  UploadAbortion,
  UploadCompletion,
  UploadRequest,
} from "../../contract/index.ts";
import { readJson } from "../../middleware/read-json.ts";
import { underLease } from "../../middleware/under-lease.ts";
import { answer, JobParams, jsonBody, operation, refusals } from "../operation.ts";
import { areaKey } from "./access.ts";
import { abort, begin, complete } from "./upload-steps.ts";

const common = { method: "post" as const, tags: ["Agents"], access: "agents" as const };
const refused = refusals(400, 403, 404, 409, 413, 503);

const beginRoute = createRoute({
  ...common,
  path: "/jobs/{id}/storage/uploads",
  summary: "Begin an object in parts, under the job's lease",
  middleware: [readJson(limits.bodyBytes)],
  request: { params: JobParams, ...jsonBody(UploadRequest) },
  responses: { 200: answer(Upload, "Begun"), ...refused },
});
export const beginUnderLease = operation(beginRoute, async (c) => {
  const { area, key, content_type, content_encoding, ...proof } = c.req.valid("json");
  const lease = await underLease(c, c.req.valid("param").id, proof);
  return c.json(await begin(c, areaKey(lease, area, key), { content_type, content_encoding }), 200);
});

const completeRoute = createRoute({
  ...common,
  path: "/jobs/{id}/storage/uploads/complete",
  summary: "Put the parts of an object together, under the job's lease",
  middleware: [readJson(limits.batchBodyBytes)],
  request: { params: JobParams, ...jsonBody(UploadCompletion) },
  responses: { 200: answer(Message, "The object is there"), ...refused },
});
export const completeUnderLease = operation(completeRoute, async (c) => {
  const { area, key, upload_id, size, parts, ...proof } = c.req.valid("json");
  const lease = await underLease(c, c.req.valid("param").id, proof);
  await complete(c, areaKey(lease, area, key), { upload_id, size, parts });
  return c.json({ message: "Upload completed" }, 200);
});

const abortRoute = createRoute({
  ...common,
  path: "/jobs/{id}/storage/uploads/abort",
  summary: "Give an object in parts up, under the job's lease",
  middleware: [readJson(limits.bodyBytes)],
  request: { params: JobParams, ...jsonBody(UploadAbortion) },
  responses: { 200: answer(Message, "Its parts are gone"), ...refused },
});
export const abortUnderLease = operation(abortRoute, async (c) => {
  const { area, key, upload_id, ...proof } = c.req.valid("json");
  const lease = await underLease(c, c.req.valid("param").id, proof);
  await abort(c, areaKey(lease, area, key), upload_id);
  return c.json({ message: "Upload aborted" }, 200);
});
