/** One SQL statement with its parameters, independent of the driver that runs it: D1, or SQLite in the simulation. */
export interface Statement {
  sql: string;
  params: unknown[];
}
