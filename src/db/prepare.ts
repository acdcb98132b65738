import type { Statement } from "./statement.ts";

/** Binds a statement to D1. */
export function prepare(db: D1Database, statement: Statement): D1PreparedStatement {
  return db.prepare(statement.sql).bind(...statement.params);
}
