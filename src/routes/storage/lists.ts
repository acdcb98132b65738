import { createRoute } from "@hono/zod-openapi";
import {
  limits,
  Message,
  StorageDeleteRequest,
  StorageListRequest,
  StoredFileList,
} from "../../contract/index.ts";
import { ApiError } from "../../middleware/api-error.ts";
import { readJson } from "../../middleware/read-json.ts";
import { storesOf } from "../../middleware/storage.ts";
import { underLease } from "../../middleware/under-lease.ts";
import { deleteFiles } from "../../storage/delete-files.ts";
import { listFiles } from "../../storage/list-files.ts";
import { answer, JobParams, jsonBody, operation, refusals } from "../operation.ts";

const common = {
  method: "post" as const,
  tags: ["Agents"],
  access: "agents" as const,
  middleware: [readJson(limits.bodyBytes)],
};
const refused = refusals(400, 403, 404, 409, 413, 503);

const list = createRoute({
  ...common,
  path: "/jobs/{id}/storage/list",
  summary: "List the organization's files, published outputs among them, under the job's lease",
  request: { params: JobParams, ...jsonBody(StorageListRequest) },
  responses: { 200: answer(StoredFileList, "One page"), ...refused },
});
export const listUnderLease = operation(list, async (c) => {
  const { prefix, cursor, ...proof } = c.req.valid("json");
  const { userId } = await underLease(c, c.req.valid("param").id, proof);
  const page = { prefix, after: cursor ?? "", limit: limits.pageSize };
  const { files, after } = await listFiles(storesOf(c), userId, page);
  return c.json({ _count: files.length, files, next_cursor: after }, 200);
});

const remove = createRoute({
  ...common,
  path: "/jobs/{id}/storage/delete",
  summary: "Delete files of the organization, under the job's lease",
  request: { params: JobParams, ...jsonBody(StorageDeleteRequest) },
  responses: { 200: answer(Message, "They are gone"), ...refused },
});
export const deleteUnderLease = operation(remove, async (c) => {
  const { keys, ...proof } = c.req.valid("json");
  const { userId } = await underLease(c, c.req.valid("param").id, proof);
  if (!(await deleteFiles(storesOf(c), userId, keys))) throw new ApiError("unavailable", {});
  return c.json({ message: "Deleted" }, 200);
});
