import type { JobStatus } from "../../contract/index.ts";
import type { Statement } from "../statement.ts";

export interface JobFilter {
  /** `null`: everybody's jobs, for the admin. */
  userId: string | null;
  status?: JobStatus | undefined;
  containerGroupId?: string | undefined;
}

export interface Page {
  ascending: boolean;
  limit: number;
  offset: number;
}

/**
 * One page of a user's jobs by `created`, ties by `seq`; of the admin's by `seq` alone, which differs only by how far
 * the clocks of Cloudflare's machines differ.
 *
 * Index: jobs_by_user, jobs_by_user_status, jobs_by_user_group or jobs_by_user_group_status, whichever has exactly
 * the filtered columns; the rowid at the end of each is `seq`, so nothing is sorted. The admin walks the table and
 * filters on the way: rare enough not to cost every insert more indexes.
 * Of rows skipped by OFFSET only the index is read.
 */
export function listJobs(filter: JobFilter, page: Page): Statement {
  const params: unknown[] = [];
  const conditions: string[] = [];
  const where = (column: string, value: unknown) => {
    params.push(value);
    conditions.push(`${column} = ?${params.length}`);
  };
  if (filter.userId !== null) where("user_id", filter.userId);
  if (filter.containerGroupId !== undefined) where("container_group_id", filter.containerGroupId);
  if (filter.status !== undefined) where("status", filter.status);

  const direction = page.ascending ? "ASC" : "DESC";
  const order = filter.userId === null ? `seq ${direction}` : `created ${direction}, seq ${direction}`;
  params.push(page.limit, page.offset);
  return {
    sql: `SELECT * FROM jobs ${conditions.length > 0 ? `WHERE ${conditions.join(" AND ")}` : ""}
          ORDER BY ${order} LIMIT ?${params.length - 1} OFFSET ?${params.length}`,
    params,
  };
}
