import { createRoute } from "@hono/zod-openapi";
import { FilesDeleted, FilesDeletion, FilesQuery, StoredFileList } from "../../contract/index.ts";
import { ApiError } from "../../middleware/api-error.ts";
import { storesOf } from "../../middleware/storage.ts";
import { requireManagedStorage } from "../../middleware/under-lease.ts";
import { deleteFiles } from "../../storage/delete-files.ts";
import { listFiles } from "../../storage/list-files.ts";
import { answer, operation, refusals } from "../operation.ts";

const list = createRoute({
  method: "get",
  path: "/files",
  tags: ["Files"],
  access: "people" as const,
  summary: "List the organization's files and the published outputs of its jobs, the newest of each key",
  request: { query: FilesQuery },
  responses: { 200: answer(StoredFileList, "One page"), ...refusals(400, 403) },
});
export const listAllFiles = operation(list, async (c) => {
  requireManagedStorage(c);
  const { prefix, cursor, limit } = c.req.valid("query");
  const page = { prefix, after: cursor ?? "", limit };
  const { files, after } = await listFiles(storesOf(c), c.var.principal.userId, page);
  return c.json({ _count: files.length, files, next_cursor: after }, 200);
});

const remove = createRoute({
  method: "delete",
  path: "/files",
  tags: ["Files"],
  access: "people" as const,
  summary: "Delete all files under a prefix, up to 1,000 per call",
  request: { query: FilesDeletion },
  responses: { 200: answer(FilesDeleted, "One bite is gone"), ...refusals(400, 403, 503) },
});
export const deletePrefix = operation(remove, async (c) => {
  requireManagedStorage(c);
  const { prefix, cursor, limit } = c.req.valid("query");
  const { userId } = c.var.principal;
  const bite = { prefix, after: cursor ?? "", limit };
  const { files, after } = await listFiles(storesOf(c), userId, bite);
  const keys = files.map(({ key }) => key);
  const done = keys.length === 0 || (await deleteFiles(storesOf(c), userId, keys));
  if (!done) throw new ApiError("unavailable", {});
  return c.json({ count: keys.length, next_cursor: after }, 200);
});
