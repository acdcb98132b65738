/** What became of the runs of a job, and who does not get it again. */
import { type InferSelectModel, sql } from "drizzle-orm";
import { index, integer, primaryKey, sqliteTable, text } from "drizzle-orm/sqlite-core";
import type { AttemptCause, AttemptEnd, NodeFacts } from "../../contract/index.ts";

export const attempts = sqliteTable(
  "attempts",
  {
    jobId: text("job_id").notNull(),
    number: integer().notNull(),
    machineId: text("machine_id"),
    instanceId: text("instance_id"),
    claimed: integer().notNull(),
    /** First renewal. An attempt without one counts for nothing. */
    acknowledged: integer(),
    /** When a renewal first told that the command runs. */
    commandStarted: integer("command_started"),
    /** Died soon after that, without a new checkpoint or step. */
    diedEarly: integer("died_early", { mode: "boolean" }).notNull().default(false),
    ended: integer(),
    end: text().$type<AttemptEnd>(),
    /** The operation that ended it: how a report whose answer was lost finds out that it had been applied. */
    endOp: text("end_op"),
    exitCode: integer("exit_code"),
    signal: text(),
    cause: text().$type<AttemptCause>(),
    reason: text(),
    bytesDownloaded: integer("bytes_downloaded"),
    bytesUploaded: integer("bytes_uploaded"),
    /** What the agent told of its node; null: nothing. */
    node: text({ mode: "json" }).$type<Partial<NodeFacts>>(),
    /** Of a job with managed storage, until the sweep has looked for what a dead attempt left there. */
    unswept: integer({ mode: "boolean" }).notNull().default(false),
  },
  (t) => [
    // listAttempts, endAttempt, latestAttemptOf.
    primaryKey({ columns: [t.jobId, t.number] }),
    // readUnswept (the storage sweep), oldest first.
    index("attempts_unswept").on(t.ended).where(sql`unswept = 1 AND ended IS NOT NULL`),
  ],
);
export type AttemptRow = InferSelectModel<typeof attempts>;

/** Machines that failed a job and do not get it again until `expires`. */
export const bans = sqliteTable(
  "bans",
  {
    jobId: text("job_id").notNull(),
    machineId: text("machine_id").notNull(),
    expires: integer().notNull(),
  },
  // The ban check of claims.
  (t) => [primaryKey({ columns: [t.jobId, t.machineId] })],
);
