import type { Context } from "hono";
import { type QueueRecord, readQueueOf } from "../../db/jobs/read.ts";
import { prepare } from "../../db/prepare.ts";
import type { GroupKey } from "../../group/protocol.ts";
import { ApiError } from "../../middleware/api-error.ts";
import { type AppEnv, visibleUserId } from "../../middleware/app-env.ts";

/** The queue of a job that the principal may see, the job's own user's and not the admin's; 404 for any other. */
export async function queueOfJob(c: Context<AppEnv>, jobId: string): Promise<GroupKey> {
  const statement = readQueueOf(visibleUserId(c.var.principal), jobId);
  const record = await prepare(c.env.DB, statement).first<QueueRecord>();
  if (!record) throw new ApiError("not_found", { what: "job" });
  return { userId: record.user_id, containerGroupId: record.container_group_id };
}
