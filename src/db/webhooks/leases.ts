/**
 * Who tries a delivery, and what came of it. A try takes the row first and is fenced by its own operation afterwards: of two that meet
 * at one row, one gets it. `due` is the next try, or the end of the lease of the one under way; a row that needs none has none.
 */
import type { Statement } from "../statement.ts";
import type { EventRecord } from "./event-record.ts";

/** A delivery as whoever sends it sees it, with what its user's secrets derive from. */
export interface LeasedDelivery extends EventRecord {
  user_id: string;
  webhook_nonce: string | null;
  webhook_nonce_before: string | null;
  webhook_rotated: number | null;
}

const leased = (column: string) => `(SELECT ${column} FROM users WHERE users.id = user_id) AS ${column}`;
const returned = `RETURNING seq, id, user_id, job_id, number, event, url, attempt, machine_id, container_group_id, created, tries,
  ${["webhook_nonce", "webhook_nonce_before", "webhook_rotated"].map(leased).join(", ")}`;

/** For whom a row was due, and where it goes: what the cron's pass plans with. Oldest first. Index: deliveries_due. */
export function readDue(nowMs: number, limit: number): Statement {
  return {
    sql: "SELECT seq, user_id, url FROM deliveries WHERE due <= ?1 ORDER BY due, seq LIMIT ?2",
    params: [nowMs, limit],
  };
}
/** `readDue`'s row. */
export interface DueDelivery {
  seq: number;
  user_id: string;
  url: string;
}

/** Takes those of the named rows that are still due. Index: the key of deliveries, and of users. */
export function leaseDeliveries(seqs: number[], opId: string, nowMs: number, untilMs: number): Statement {
  return {
    sql: `UPDATE deliveries SET lease_op = ?2, due = ?4, tries = tries + 1
          WHERE seq IN (SELECT value FROM json_each(?1)) AND due <= ?3 ${returned}`,
    params: [JSON.stringify(seqs), opId, nowMs, untilMs],
  };
}

/** Takes what nobody has tried yet of these jobs. Index: deliveries_by_job. */
export function leaseNewOf(
  jobIds: string[],
  opId: string,
  nowMs: number,
  untilMs: number,
  limit: number,
): Statement {
  return {
    sql: `UPDATE deliveries SET lease_op = ?2, due = ?4, tries = tries + 1
          WHERE seq IN (SELECT d.seq FROM json_each(?1) v JOIN deliveries d ON d.job_id = v.value
                        WHERE d.due <= ?3 AND d.tries = 0 LIMIT ?5) ${returned}`,
    params: [JSON.stringify(jobIds), opId, nowMs, untilMs, limit],
  };
}

/** How a try ended. At most one of `dueMs`, `deliveredMs` and `abandonedMs` is set. */
export interface Outcome {
  seq: number;
  /** So far; one less than leased when the row was not tried after all, and what the last try said stays. */
  tries: number;
  dueMs: number | null;
  deliveredMs: number | null;
  abandonedMs: number | null;
  lastStatus: number | null;
  lastError: string | null;
}

/** Ends leases. A row whose lease another has taken meanwhile stays as it is. Index: the key of deliveries. */
export function recordOutcomes(outcomes: Outcome[], opId: string): Statement {
  const values = outcomes.map((o) => [
    o.seq,
    o.tries,
    o.dueMs,
    o.deliveredMs,
    o.abandonedMs,
    o.lastStatus,
    o.lastError,
  ]);
  return {
    sql: `UPDATE deliveries SET lease_op = NULL, tries = v.value ->> 1, due = v.value ->> 2, delivered = v.value ->> 3,
            abandoned = v.value ->> 4,
            last_status = CASE WHEN v.value ->> 1 < tries THEN last_status ELSE v.value ->> 5 END,
            last_error = CASE WHEN v.value ->> 1 < tries THEN last_error ELSE v.value ->> 6 END
          FROM json_each(?1) v WHERE deliveries.seq = v.value ->> 0 AND deliveries.lease_op = ?2`,
    params: [JSON.stringify(values), opId],
  };
}

/** Sends rows to the back of the queue; no try. One that was leased meanwhile is not due and stays. Index: the key of deliveries. */
export function putOff(seqs: number[], nowMs: number, untilMs: number): Statement {
  return {
    sql: "UPDATE deliveries SET due = ?3 WHERE seq IN (SELECT value FROM json_each(?1)) AND due <= ?2",
    params: [JSON.stringify(seqs), nowMs, untilMs],
  };
}
