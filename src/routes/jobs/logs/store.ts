import type { Context } from "hono";
import { ApiError } from "../../../middleware/api-error.ts";
import type { AppEnv } from "../../../middleware/app-env.ts";

/** Where logs are kept; needs the bucket and no more: no signing key, no S3 keys. 404 on a deployment without one. */
export function logStoreOf(c: Context<AppEnv>): R2Bucket {
  const bucket = c.env.CHECKPOINTS as R2Bucket | undefined;
  if (!bucket) throw new ApiError("not_found", { what: "logs" });
  return bucket;
}
