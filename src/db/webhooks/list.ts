import type { Statement } from "../statement.ts";
import type { EventRecord } from "./event-record.ts";

const columns = `seq, id, job_id, number, event, url, attempt, machine_id, container_group_id, created, tries, due,
  delivered, abandoned, last_status, last_error`;

/** The newest events of a job, newest first. Index: deliveries_by_job. */
export function listDeliveriesOf(jobId: string, limit: number): Statement {
  return {
    sql: `SELECT ${columns} FROM deliveries WHERE job_id = ?1 ORDER BY number DESC LIMIT ?2`,
    params: [jobId, limit],
  };
}

/** A user's, or everybody's for the admin (`null`), newest first. Index: deliveries_by_user, or the table's own order. */
export function listDeliveries(userId: string | null, beforeSeq: number | null, limit: number): Statement {
  const before = beforeSeq ?? Number.MAX_SAFE_INTEGER;
  const order = "seq < ?1 ORDER BY seq DESC LIMIT ?2";
  return userId === null
    ? { sql: `SELECT ${columns} FROM deliveries WHERE ${order}`, params: [before, limit] }
    : {
        sql: `SELECT ${columns} FROM deliveries WHERE user_id = ?3 AND ${order}`,
        params: [before, limit, userId],
      };
}

/** A row of both. */
export interface DeliveryRecord extends EventRecord {
  due: number | null;
  delivered: number | null;
  abandoned: number | null;
  last_status: number | null;
  last_error: string | null;
}
