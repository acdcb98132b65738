import type { Statement } from "./statement.ts";

/** The newest file of migrations/, which is applied after all others; a test holds them together. */
export const newestMigration = "0004_open_holds.sql";

/** One row when it has been applied; the table is wrangler's, and is missing where nothing was. It has as many rows as there are migrations. */
export function readMigrationApplied(name: string): Statement {
  return { sql: "SELECT 1 AS applied FROM d1_migrations WHERE name = ?1", params: [name] };
}
