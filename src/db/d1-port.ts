import type { SqlRecord } from "./job-record.ts";
import type { Statement } from "./statement.ts";

/** D1 as engines see it: its binding, or Node's SQLite with faults in the simulation. */
export interface D1Port {
  /** Runs all in one transaction; rows of each statement. A rejection leaves open whether it was applied. */
  batch(statements: Statement[]): Promise<SqlRecord[][]>;
}
