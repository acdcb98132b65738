import type { Statement } from "../statement.ts";

/**
 * Everything about jobs, of all users. Leases of running jobs stay with the groups' objects until their next
 * renewal or the sweep finds the job gone.
 */
export function clearJobs(): Statement[] {
  return ["bans", "attempts", "jobs"].map((table) => ({ sql: `DELETE FROM ${table}`, params: [] }));
}
