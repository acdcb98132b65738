/**
 * Since when jobs have been closed to everybody who asks, in the object's SQLite: a group with one machine polls once a minute, and its object may
 * leave memory between any two polls.
 */
import { pollWindowMs } from "./polls.ts";
import type { SqlPort } from "./ports.ts";

/** So often it is written down that somebody still asks: well below the pause that would count. */
const askedEveryMs = 30_000;

const schema = `CREATE TABLE IF NOT EXISTS closed_jobs (
  job_id TEXT PRIMARY KEY, attempt INTEGER NOT NULL, since_ms INTEGER NOT NULL, asked_ms INTEGER NOT NULL
) WITHOUT ROWID`;

export class ClosedJobs {
  readonly #sql: SqlPort;

  constructor(sql: SqlPort) {
    this.#sql = sql;
    sql.exec(schema);
  }

  /**
   * Somebody has asked, and was not given this job because of a ban. Returns for how long that has been so: since its last attempt, and with no
   * pause in which some agent might not have asked. Writes once in `askedEveryMs`.
   */
  noteAsked(job: { id: string; attempt: number }, nowMs: number): number {
    const [known] = this.#sql.exec(
      "SELECT since_ms FROM closed_jobs WHERE job_id = ? AND attempt = ? AND asked_ms > ?",
      job.id,
      job.attempt,
      nowMs - askedEveryMs,
    );
    if (known) return nowMs - Number(known.since_ms);
    this.#sql.exec("DELETE FROM closed_jobs WHERE asked_ms < ?", nowMs - pollWindowMs);
    const [row] = this.#sql.exec(
      `INSERT INTO closed_jobs (job_id, attempt, since_ms, asked_ms) VALUES (?1, ?2, ?3, ?3)
       ON CONFLICT (job_id) DO UPDATE SET asked_ms = ?3, attempt = ?2,
         since_ms = CASE WHEN attempt = ?2 THEN since_ms ELSE ?3 END
       RETURNING since_ms`,
      job.id,
      job.attempt,
      nowMs,
    );
    return nowMs - Number(row?.since_ms ?? nowMs);
  }
}
