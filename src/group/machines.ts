/**
 * What the object remembers of machines, in its SQLite: which asked for work, which jobs they failed, which were told to go. Hints for judging them
 * (reallocate.ts): with the storage it is forgotten, and begins anew.
 */
import { failuresCountMs, machinePauseMs, type ToldToGo } from "../domain/reallocation.ts";
import type { SqlPort } from "./ports.ts";

const hour = 3_600_000;
/** A machine's last request is written down anew after so long. */
const seenEveryMs = hour;
const seenKeptMs = 24 * hour;
/** Four times a group's replicas: what asks under ever new ids fills no storage. */
const maxMachines = 2_000;
/** Failed jobs kept of one machine, the newest. A machine that fails all it gets has these together in minutes. */
const maxFailures = 50;

const schema = [
  "CREATE TABLE IF NOT EXISTS machines_seen (machine_id TEXT PRIMARY KEY, seen_ms INTEGER NOT NULL) WITHOUT ROWID",
  `CREATE TABLE IF NOT EXISTS machine_failures (
    machine_id TEXT NOT NULL, job_id TEXT NOT NULL, attempt INTEGER NOT NULL, at_ms INTEGER NOT NULL,
    PRIMARY KEY (machine_id, job_id)
  ) WITHOUT ROWID`,
  "CREATE INDEX IF NOT EXISTS machine_failures_at ON machine_failures (at_ms)",
  `CREATE TABLE IF NOT EXISTS reallocations (
    machine_id TEXT PRIMARY KEY, told_ms INTEGER NOT NULL, reason TEXT NOT NULL, done_ms INTEGER
  ) WITHOUT ROWID`,
];

/** A machine that was told to go. */
export interface Reallocation extends ToldToGo {
  reason: string;
  /** When SaladCloud was asked for it by the API; null: it was not. */
  doneMs: number | null;
}

export class Machines {
  readonly #sql: SqlPort;
  /** When `machines_seen` was last written, by machine, as far as this life knows. */
  readonly #noted = new Map<string, number>();

  constructor(sql: SqlPort) {
    this.#sql = sql;
    for (const statement of schema) sql.exec(statement);
  }

  /** It asks for work. Writes once an hour. */
  seen(machineId: string, nowMs: number): void {
    if (nowMs - (this.#noted.get(machineId) ?? 0) < seenEveryMs) return;
    if (this.#noted.size >= maxMachines) this.#noted.clear();
    this.#noted.set(machineId, nowMs);
    const written = this.#sql.exec(
      `INSERT INTO machines_seen (machine_id, seen_ms) VALUES (?1, ?2)
       ON CONFLICT (machine_id) DO UPDATE SET seen_ms = ?2 WHERE seen_ms <= ?3 RETURNING 1`,
      machineId,
      nowMs,
      nowMs - seenEveryMs,
    );
    if (written.length === 0) return;
    this.#sql.exec("DELETE FROM machines_seen WHERE seen_ms < ?", nowMs - seenKeptMs);
    this.#sql.exec(
      `DELETE FROM machines_seen WHERE machine_id IN (
         SELECT machine_id FROM machines_seen ORDER BY seen_ms DESC LIMIT -1 OFFSET ?)`,
      maxMachines,
    );
  }

  /** How many asked within the last day. */
  countSeen(nowMs: number): number {
    const rows = this.#sql.exec(
      "SELECT COUNT(*) AS n FROM machines_seen WHERE seen_ms >= ?",
      nowMs - seenKeptMs,
    );
    return Number(rows[0]?.n);
  }

  /** This attempt on it failed, stalled or timed out. */
  failed(machineId: string, jobId: string, attempt: number, atMs: number): void {
    this.#sql.exec("DELETE FROM machine_failures WHERE at_ms < ?", atMs - failuresCountMs);
    this.#sql.exec(
      "INSERT OR REPLACE INTO machine_failures (machine_id, job_id, attempt, at_ms) VALUES (?, ?, ?, ?)",
      machineId,
      jobId,
      attempt,
      atMs,
    );
    this.#sql.exec(
      `DELETE FROM machine_failures WHERE machine_id = ?1 AND job_id IN (
         SELECT job_id FROM machine_failures WHERE machine_id = ?1 ORDER BY at_ms DESC LIMIT -1 OFFSET ?2)`,
      machineId,
      maxFailures,
    );
  }

  /** Jobs that it failed within the last day, each with its last failed attempt. */
  failuresOf(machineId: string, nowMs: number): { jobId: string; attempt: number }[] {
    return this.#sql
      .exec(
        "SELECT job_id, attempt FROM machine_failures WHERE machine_id = ? AND at_ms >= ?",
        machineId,
        nowMs - failuresCountMs,
      )
      .map((record) => ({ jobId: record.job_id as string, attempt: record.attempt as number }));
  }

  /** It is told to go. */
  tell(machineId: string, reason: string, nowMs: number): void {
    this.#sql.exec("DELETE FROM reallocations WHERE told_ms <= ?", nowMs - machinePauseMs);
    this.#sql.exec(
      "INSERT OR REPLACE INTO reallocations (machine_id, told_ms, reason, done_ms) VALUES (?, ?, ?, NULL)",
      machineId,
      nowMs,
      reason,
    );
  }

  /** SaladCloud was asked for it. */
  reallocated(machineId: string, nowMs: number): void {
    this.#sql.exec(
      "UPDATE reallocations SET done_ms = ? WHERE machine_id = ? AND done_ms IS NULL",
      nowMs,
      machineId,
    );
  }

  /** Within the last 48 h; the rations keep these few. */
  reallocations(nowMs: number): Reallocation[] {
    return this.#sql
      .exec(
        "SELECT machine_id, told_ms, reason, done_ms FROM reallocations WHERE told_ms > ?",
        nowMs - machinePauseMs,
      )
      .map((record) => ({
        machineId: record.machine_id as string,
        toldMs: record.told_ms as number,
        reason: record.reason as string,
        doneMs: record.done_ms as number | null,
      }));
  }
}
