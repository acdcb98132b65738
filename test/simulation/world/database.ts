/** Node's SQLite with its statements kept: preparing costs more than running. */
import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";
import type { SqlRecord } from "../../../src/db/job-record.ts";

/** What a trigger calls: the columns that it names, in its order. */
export type Watcher = (...values: unknown[]) => void;

export class Database {
  readonly #sqlite = new DatabaseSync(":memory:");
  readonly #statements = new Map<string, StatementSync>();

  all(sql: string, params: readonly unknown[]): SqlRecord[] {
    let statement = this.#statements.get(sql);
    if (!statement) {
      statement = this.#sqlite.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement.all(...(params as SQLInputValue[])) as SqlRecord[];
  }

  exec(sql: string): void {
    this.#sqlite.exec(sql);
  }

  /** Calls `watcher` after each such change of a row, within its transaction; the shipped schema knows nothing of it. */
  watch(name: string, when: string, columns: string[], watcher: Watcher): void {
    this.#sqlite.function(name, { varargs: true }, (...values: unknown[]) => {
      watcher(...values);
      return null;
    });
    this.exec(`CREATE TEMP TRIGGER watch_${name} AFTER ${when} BEGIN SELECT ${name}(${columns}); END`);
  }

  close(): void {
    this.#statements.clear();
    this.#sqlite.close();
  }
}
