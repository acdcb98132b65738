/** Managed storage for people: the root of whoever asks, and no other; also the admin's is his own. */
import { allow } from "../../middleware/access.ts";
import { limitRate } from "../../middleware/rate-limit.ts";
import { createRouter } from "../operation.ts";
import { deleteFile, deleteRoute, readFile, readRoute, writeFile, writeRoute } from "./file.ts";
import { deletePrefix, listAllFiles } from "./list.ts";
import { abortFile, beginFile, completeFile } from "./uploads.ts";
import { grantPartUrls, grantUrl } from "./urls.ts";

export const files = createRouter().openapiRoutes([
  listAllFiles,
  deletePrefix,
  grantUrl,
  beginFile,
  grantPartUrls,
  completeFile,
  abortFile,
]);

// A key has slashes, which a documented path cannot say: documented and routed apart.
for (const route of [readRoute, writeRoute, deleteRoute]) files.openAPIRegistry.registerPath(route);
files.use("/files/:key{.+}", allow("people"), limitRate("people"));
files.get("/files/:key{.+}", readFile);
files.put("/files/:key{.+}", writeFile);
files.delete("/files/:key{.+}", deleteFile);
