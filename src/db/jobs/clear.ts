import type { Statement } from "../statement.ts";
import { discardJobsStorage, garbageDelayMs } from "../storage/garbage.ts";

/**
 * Everything about jobs, of all users. Leases of running jobs stay with the groups' objects until their next
 * renewal or the sweep finds the job gone.
 */
export function clearJobs(nowMs: number): Statement[] {
  const all = { sql: "SELECT id FROM jobs", params: [] };
  return [
    ...discardJobsStorage(all, nowMs + garbageDelayMs),
    ...["deliveries", "bans", "attempts", "jobs"].map((table) => ({
      sql: `DELETE FROM ${table}`,
      params: [],
    })),
  ];
}
