import type { Job } from "../../src/contract/index.ts";
import { type Ground, until } from "./storage-agent.ts";

/** The job as it ended, in whatever way. */
export function endOf({ client }: Ground, id: string, pollMs: number): Promise<Job> {
  return until(async () => {
    const job = await client.job(id);
    return job.status === "pending" || job.status === "running" ? undefined : job;
  }, pollMs);
}
