import type { D1Port } from "./d1-port.ts";
import type { SqlRecord } from "./job-record.ts";
import type { Statement } from "./statement.ts";

/** Binds a statement to D1. */
export function prepare(db: D1Database, statement: Statement): D1PreparedStatement {
  return db.prepare(statement.sql).bind(...statement.params);
}

/** The binding as a port. */
export function d1Port(db: D1Database): D1Port {
  return {
    batch: async (statements) => {
      const results = await db.batch<SqlRecord>(statements.map((statement) => prepare(db, statement)));
      return results.map((result) => result.results);
    },
  };
}
