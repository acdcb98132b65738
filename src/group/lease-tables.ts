/** The tables of the lease rows and of what stands beside them, in the object's SQLite. */
import type { SqlPort } from "./ports.ts";

/** Created if missing; a change of shape appends statements, it never edits these. */
const schema = [
  `CREATE TABLE IF NOT EXISTS leases (
    job_id TEXT PRIMARY KEY, attempt INTEGER NOT NULL, phase TEXT NOT NULL, op_id TEXT NOT NULL, ending TEXT,
    claim_id TEXT, machine_id TEXT, instance_id TEXT, token TEXT, interval_ms INTEGER NOT NULL,
    term_ms INTEGER NOT NULL, base_heartbeats INTEGER NOT NULL, beats INTEGER NOT NULL, granted_ms INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL, acknowledged_ms INTEGER, renewed_ms INTEGER, flushed_ms INTEGER NOT NULL,
    command_started_ms INTEGER, progress INTEGER NOT NULL, extended INTEGER NOT NULL
  ) WITHOUT ROWID`,
  // byClaim
  "CREATE UNIQUE INDEX IF NOT EXISTS leases_claim ON leases (claim_id) WHERE claim_id IS NOT NULL",
  `CREATE TABLE IF NOT EXISTS attempt_floors (
    job_id TEXT PRIMARY KEY, attempt INTEGER NOT NULL, set_ms INTEGER NOT NULL
  ) WITHOUT ROWID`,
  "CREATE TABLE IF NOT EXISTS wakes (job_id TEXT PRIMARY KEY, at_ms INTEGER NOT NULL) WITHOUT ROWID",
  `CREATE TABLE IF NOT EXISTS cooldowns (
    job_id TEXT NOT NULL, machine_id TEXT NOT NULL, until_ms INTEGER NOT NULL, PRIMARY KEY (job_id, machine_id)
  ) WITHOUT ROWID`,
];

/** What tables made by an earlier version lack. */
const laterColumns = [
  { table: "leases", column: "webhook", type: "INTEGER" },
  { table: "leases", column: "uploading", type: "INTEGER" },
];

/** Makes what is missing, in a new object or in one of an earlier version. */
export function makeLeaseTables(sql: SqlPort): void {
  for (const statement of schema) sql.exec(statement);
  for (const { table, column, type } of laterColumns) {
    const known = sql.exec(`SELECT 1 FROM pragma_table_info(?) WHERE name = ?`, table, column);
    if (known.length === 0) sql.exec(`ALTER TABLE ${table} ADD COLUMN ${column} ${type}`);
  }
}
