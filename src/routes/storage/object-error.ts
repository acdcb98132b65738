/** How the outcomes of reading and writing an object are answered. */
import type { Context } from "hono";
import { ApiError } from "../../middleware/api-error.ts";
import type { AppEnv } from "../../middleware/app-env.ts";
import type { BucketKey } from "../../storage/keys.ts";
import type { Received } from "../../storage/receive.ts";
import { serve } from "../../storage/serve.ts";

/** The object at this key, for this request. */
export async function serveObject(c: Context<AppEnv>, key: BucketKey): Promise<Response> {
  const served = await serve(c.env.CHECKPOINTS, key, c.req.raw);
  if (served.ok) return served.response;
  switch (served.reason) {
    case "missing":
      throw new ApiError("not_found", { what: "file" });
    case "range":
      throw new ApiError("range_not_satisfiable", {});
    case "condition":
      throw new ApiError("invalid_request", {
        problem: "must be * or ETags in quotes",
        field: served.header,
      });
    case "precondition":
      throw new ApiError("precondition_failed", {});
  }
}

export function receivedError(reason: Extract<Received, { ok: false }>["reason"]): ApiError {
  switch (reason) {
    case "precondition":
      return new ApiError("precondition_failed", {});
    case "no_upload":
      return new ApiError("not_found", { what: "upload" });
    case "checksum":
      return new ApiError("invalid_request", { problem: "the body's MD5 is another than was told" });
    case "size":
      return new ApiError("invalid_request", { problem: "the body's size is another than was told" });
  }
}
