/**
 * The lease rows in the object's SQLite: who holds which job until when, and which operation is under way on it.
 *
 * Phases: `claiming` (intent to grant, D1 not yet heard) → `held` → `ending` (intent to end, D1 not yet heard) → gone.
 * A row of any phase bars every other grant of its job. Only the operation that wrote an intent resolves it.
 *
 * A renewal is stored for somewhat longer than it promises, and the next ones are only remembered as long as they
 * promise no more than what is stored: a write is most of what a renewal costs. While this life lasts the promise decides,
 * to the millisecond; after an eviction what is stored does, which is never earlier.
 */

import type { Progress } from "../contract/index.ts";
import type { EndWrite } from "../db/leases/end.ts";
import { storedAheadMs } from "../domain/lease.ts";
import { newestProgress } from "../domain/progress.ts";
import { type Hints, type LeaseRow, leaseColumns, leaseFromRecord, valuesOf } from "./lease-row.ts";
import { makeLeaseTables } from "./lease-tables.ts";
import type { SqlPort, SqlValue } from "./ports.ts";

/** The last renewal of a held lease, as this life of the object knows it. */
interface Renewed {
  attempt: number;
  renewedMs: number;
  /** What was promised… */
  expiresMs: number;
  /** …and what storage says, which is never earlier. */
  storedUntilMs: number;
}

/** What a renewal tells of its attempt. */
export interface ToldByRenewal {
  commandStarted: boolean;
  /** Checkpoints or steps so far. */
  progress: number;
  progressReport: Progress | null;
  /** Null: nothing said, as by the calls under a lease that are no renewals of their own. */
  uploading: boolean | null;
}

export class LeaseRows {
  readonly #sql: SqlPort;
  /** By job id. */
  readonly #renewed = new Map<string, Renewed>();
  /** By job id, of held rows whose holder was heard in this life. */
  readonly #hints = new Map<string, Hints & { attempt: number }>();

  constructor(sql: SqlPort) {
    this.#sql = sql;
    makeLeaseTables(sql);
  }

  get(jobId: string): LeaseRow | undefined {
    return this.#read("WHERE job_id = ?", jobId)[0];
  }

  byClaim(claimId: string): LeaseRow | undefined {
    return this.#read("WHERE claim_id = ?", claimId)[0];
  }

  has(jobId: string): boolean {
    return this.#sql.exec("SELECT 1 FROM leases WHERE job_id = ?", jobId).length > 0;
  }

  held(): LeaseRow[] {
    return this.#read("WHERE phase = 'held'");
  }

  /** Machines with a row of any phase; rows without a machine are under null. */
  machinesBusy(): Map<string | null, number> {
    const records = this.#sql.exec("SELECT machine_id, COUNT(*) AS n FROM leases GROUP BY machine_id");
    return new Map(records.map(({ machine_id, n }) => [machine_id as string | null, n as number]));
  }

  /** When the newest of all rows was granted; null: there is none. */
  lastGrantMs(): number | null {
    const [row] = this.#sql.exec("SELECT MAX(granted_ms) AS last FROM leases");
    return (row?.last as number | null | undefined) ?? null;
  }

  /** Whether it surely holds a lease. Another instance on the same machine is another; who names none may be any. */
  isBusy({ machineId, instanceId = null }: { machineId: string; instanceId?: string | null }): boolean {
    const found = this.#sql.exec(
      "SELECT 1 FROM leases WHERE machine_id = ?1 AND (?2 IS NULL OR instance_id = ?2) LIMIT 1",
      machineId,
      instanceId,
    );
    return found.length > 0;
  }

  countHeld(): number {
    return Number(this.#sql.exec("SELECT COUNT(*) AS n FROM leases WHERE phase = 'held'")[0]?.n);
  }

  lapsed(nowMs: number): LeaseRow[] {
    const remembered = [...this.#renewed].filter(([, { expiresMs }]) => expiresMs <= nowMs);
    return this.#read(
      "WHERE phase = 'held' AND (expires_ms <= ? OR job_id IN (SELECT value FROM json_each(?)))",
      nowMs,
      JSON.stringify(remembered.map(([jobId]) => jobId)),
    ).sort((one, other) => one.expiresMs - other.expiresMs);
  }

  /** Rows whose operation has not been resolved. */
  open(): LeaseRow[] {
    return this.#read("WHERE phase <> 'held'");
  }

  /**
   * Held rows that were renewed since D1 last heard of them, if one of the group is due: leases begin at all times, and were each
   * flushed at its own minute, a hundred of them would cost a hundred statements.
   */
  unflushed(flushedBeforeMs: number): LeaseRow[] {
    const due = this.#sql.exec(
      "SELECT 1 FROM leases WHERE phase = 'held' AND flushed_ms <= ? LIMIT 1",
      flushedBeforeMs,
    );
    if (due.length === 0) return [];
    // First here, then in D1: what GET has told of a lease does not go back when the object is evicted.
    for (const [jobId, { attempt, renewedMs }] of this.#renewed) {
      this.#sql.exec(
        "UPDATE leases SET renewed_ms = ? WHERE job_id = ? AND attempt = ? AND phase = 'held'",
        renewedMs,
        jobId,
        attempt,
      );
    }
    return this.#read("WHERE phase = 'held' AND renewed_ms > flushed_ms");
  }

  /** When something is due next: an expiry, a flush (`flushEveryMs` after the last), an open intent at once. */
  nextDueMs(nowMs: number, flushEveryMs: number, openRetryMs: number): number | null {
    const due = this.#sql.exec(
      `SELECT MIN(due) AS due FROM (
         SELECT CASE WHEN phase = 'held' THEN MIN(expires_ms, flushed_ms + ?) ELSE ? END AS due FROM leases
         UNION ALL SELECT at_ms FROM wakes)`,
      flushEveryMs,
      nowMs + openRetryMs,
    )[0]?.due;
    if (typeof due !== "number") return null;
    return Math.min(due, ...[...this.#renewed.values()].map(({ expiresMs }) => expiresMs));
  }

  insert(row: LeaseRow): void {
    this.#renewed.delete(row.jobId);
    const values = valuesOf(row);
    this.#sql.exec(
      `INSERT INTO leases (${leaseColumns}) VALUES (${values.map(() => "?").join(", ")})`,
      ...values,
    );
  }

  /** `claiming` → `held`, if this operation's intent still stands. */
  confirm(
    jobId: string,
    opId: string,
    lease: {
      intervalMs: number;
      termMs: number;
      baseHeartbeats: number;
      nowMs: number;
      expiresMs: number;
      acknowledgedMs: number | null;
    },
  ): boolean {
    return this.#changed(
      `UPDATE leases SET phase = 'held', interval_ms = ?, term_ms = ?, base_heartbeats = ?, granted_ms = ?,
         flushed_ms = ?, expires_ms = ?, acknowledged_ms = ?
       WHERE job_id = ? AND op_id = ? AND phase = 'claiming' RETURNING 1`,
      lease.intervalMs,
      lease.termMs,
      lease.baseHeartbeats,
      lease.nowMs,
      lease.nowMs,
      lease.expiresMs,
      lease.acknowledgedMs,
      jobId,
      opId,
    );
  }

  /** A renewal of a held row that was read in this very step: its promise is stored before it is answered. */
  renew(row: LeaseRow, nowMs: number, told: ToldByRenewal): void {
    const { jobId, attempt } = row;
    this.#hint(row, nowMs, told);
    const expiresMs = nowMs + row.termMs;
    const known = this.#renewed.get(jobId);
    const isNews =
      row.acknowledgedMs === null ||
      row.extended ||
      (told.commandStarted && row.commandStartedMs === null) ||
      told.progress > row.progress ||
      (told.uploading !== null && told.uploading !== row.uploading);
    if (known?.attempt === attempt && expiresMs <= known.storedUntilMs && !isNews) {
      this.#renewed.set(jobId, { ...known, renewedMs: nowMs, expiresMs });
      return;
    }
    // Ahead only where it will pay. The object of a small group hibernates from one renewal to the next: it would forget
    // what was promised, write each time all the same, and notice a silent node later.
    const storedUntilMs = expiresMs + (known?.attempt === attempt ? storedAheadMs(row) : 0);
    this.#sql.exec(
      `UPDATE leases SET expires_ms = ?6, renewed_ms = ?1, beats = beats + 1, extended = 0,
         acknowledged_ms = COALESCE(acknowledged_ms, ?1),
         command_started_ms = COALESCE(command_started_ms, CASE WHEN ?4 THEN ?1 END), progress = MAX(progress, ?5),
         uploading = COALESCE(?7, uploading)
       WHERE job_id = ?2 AND attempt = ?3 AND phase = 'held'`,
      nowMs,
      jobId,
      attempt,
      told.commandStarted ? 1 : 0,
      told.progress,
      storedUntilMs,
      told.uploading === null ? null : Number(told.uploading),
    );
    if (row.token !== null) this.#renewed.set(jobId, { attempt, renewedMs: nowMs, expiresMs, storedUntilMs });
  }

  /** Touches memory only when there is something new. */
  #hint({ jobId, attempt, hints }: LeaseRow, nowMs: number, told: ToldByRenewal): void {
    const progress = newestProgress(hints?.progress ?? null, told.progressReport, nowMs);
    if (hints && hints.progress === progress) return;
    this.#hints.set(jobId, { attempt, progress });
  }

  /** `held` → `ending`: from here on no renewal is accepted, and nothing but the operation's outcome moves the row. */
  beginEnding(ending: EndWrite): boolean {
    const begun = this.#changed(
      `UPDATE leases SET phase = 'ending', op_id = ?, ending = ?
       WHERE job_id = ? AND attempt = ? AND phase = 'held' RETURNING 1`,
      ending.opId,
      JSON.stringify(ending),
      ending.jobId,
      ending.attempt,
    );
    if (begun) this.#forget(ending.jobId);
    return begun;
  }

  /** Puts the expiry of a held row that was read in this very step off. */
  extend({ jobId, renewedMs }: LeaseRow, expiresMs: number): void {
    this.#renewed.delete(jobId);
    this.#sql.exec(
      "UPDATE leases SET expires_ms = ?, renewed_ms = ?, extended = 1 WHERE job_id = ? AND phase = 'held'",
      expiresMs,
      renewedMs,
      jobId,
    );
  }

  flushed(jobId: string, attempt: number, atMs: number): void {
    this.#sql.exec("UPDATE leases SET flushed_ms = ? WHERE job_id = ? AND attempt = ?", atMs, jobId, attempt);
  }

  /** Puts the next flush off for rows that had nothing to tell. */
  flushedIdle(atMs: number, flushedBeforeMs: number): void {
    this.#sql.exec(
      "UPDATE leases SET flushed_ms = ? WHERE phase = 'held' AND flushed_ms <= ?",
      atMs,
      flushedBeforeMs,
    );
  }

  /** Removes a row; only the operation that the row names may. */
  remove(jobId: string, opId: string): boolean {
    const removed = this.#changed(
      "DELETE FROM leases WHERE job_id = ? AND op_id = ? RETURNING 1",
      jobId,
      opId,
    );
    if (removed) this.#forget(jobId);
    return removed;
  }

  /** The highest attempt number that the object ever tried to give out without learning its fate. */
  attemptFloor(jobId: string): number {
    return Number(
      this.#sql.exec("SELECT attempt FROM attempt_floors WHERE job_id = ?", jobId)[0]?.attempt ?? 0,
    );
  }

  raiseAttemptFloor(jobId: string, attempt: number, nowMs: number): void {
    this.#sql.exec("DELETE FROM attempt_floors WHERE set_ms < ?", nowMs - floorKeptMs);
    this.#sql.exec(
      `INSERT INTO attempt_floors (job_id, attempt, set_ms) VALUES (?, ?, ?)
       ON CONFLICT (job_id) DO UPDATE SET attempt = MAX(attempt, excluded.attempt), set_ms = excluded.set_ms`,
      jobId,
      attempt,
      nowMs,
    );
  }

  /** Machines that lately let a job expire under an old worker do not get it back at once (rule 5). */
  coolDown(jobId: string, machineId: string, untilMs: number, nowMs: number): void {
    this.#sql.exec("DELETE FROM cooldowns WHERE until_ms <= ?", nowMs);
    this.#sql.exec(
      "INSERT OR REPLACE INTO cooldowns (job_id, machine_id, until_ms) VALUES (?, ?, ?)",
      jobId,
      machineId,
      untilMs,
    );
  }

  coolingDown(jobId: string, machineId: string, nowMs: number): boolean {
    return (
      this.#sql.exec(
        "SELECT 1 FROM cooldowns WHERE job_id = ? AND machine_id = ? AND until_ms > ?",
        jobId,
        machineId,
        nowMs,
      ).length > 0
    );
  }

  /** The job waits in D1 until then: the alarm wakes somebody. */
  wakeAt(jobId: string, atMs: number): void {
    this.#sql.exec("INSERT OR REPLACE INTO wakes (job_id, at_ms) VALUES (?, ?)", jobId, atMs);
  }

  /** Forgets the wakes that are due and returns how many there were. */
  takeWakes(nowMs: number): number {
    return this.#sql.exec("DELETE FROM wakes WHERE at_ms <= ? RETURNING 1", nowMs).length;
  }

  #read(where: string, ...params: SqlValue[]): LeaseRow[] {
    const records = this.#sql.exec(`SELECT ${leaseColumns} FROM leases ${where}`, ...params);
    return records.map((record) => this.#asPromised(leaseFromRecord(record)));
  }

  /** The row with what this life knows better of it. */
  #asPromised(row: LeaseRow): LeaseRow {
    if (row.phase !== "held") return row;
    const hints = this.#hints.get(row.jobId);
    if (hints?.attempt === row.attempt) row.hints = hints;
    const renewed = this.#renewed.get(row.jobId);
    if (renewed?.attempt !== row.attempt) return row;
    const { renewedMs, expiresMs } = renewed;
    return { ...row, renewedMs, expiresMs: Math.min(row.expiresMs, expiresMs) };
  }

  #forget(jobId: string): void {
    this.#renewed.delete(jobId);
    this.#hints.delete(jobId);
  }

  #changed(sql: string, ...params: SqlValue[]): boolean {
    return this.#sql.exec(sql, ...params).length > 0;
  }
}

/** A write of ours that D1 has not shown within a day is not coming. */
const floorKeptMs = 24 * 3_600_000;
