/** Jobs, and what makes their submission safe to repeat. */
import { type InferSelectModel, sql } from "drizzle-orm";
import { index, integer, primaryKey, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";
import type { JobStatus, LegacyStorage, StopSignal, Sync, WebhookEvent } from "../../contract/index.ts";
import type { ToldProgress } from "../../domain/progress.ts";

/** What a client's `Idempotency-Key` has already made. Kept for 24 h. */
export const idempotencyKeys = sqliteTable(
  "idempotency_keys",
  {
    userId: text("user_id").notNull(),
    /** SHA-256 of the key, hex. */
    keyHash: text("key_hash").notNull(),
    /** SHA-256 of route and body, hex: the same key with another request is a mistake. */
    requestHash: text("request_hash").notNull(),
    jobIds: text("job_ids", { mode: "json" }).$type<string[]>().notNull(),
    created: integer().notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.userId, t.keyHash] }),
    // The purge, oldest first.
    index("idempotency_keys_created").on(t.created),
  ],
);

export const jobs = sqliteTable(
  "jobs",
  {
    /** Rises with each insert; breaks ties of `created`, so that a batch keeps its order. */
    seq: integer().primaryKey({ autoIncrement: true }),
    id: text().notNull(),
    userId: text("user_id").notNull(),
    containerGroupId: text("container_group_id").notNull(),
    status: text().$type<JobStatus>().notNull().default("pending"),
    command: text().notNull(),
    arguments: text({ mode: "json" }).$type<string[]>().notNull(),
    environment: text({ mode: "json" }).$type<Record<string, string>>().notNull(),
    /** Exactly one of `sync` and `legacyStorage` is set. */
    sync: text({ mode: "json" }).$type<Sync>(),
    legacyStorage: text("legacy_storage", { mode: "json" }).$type<LegacyStorage>(),
    webhook: text(),
    /** Which transitions it hears of; null: those that Kelpie tells (running, completed, failed). */
    webhookEvents: text("webhook_events", { mode: "json" }).$type<WebhookEvent[]>(),
    compression: integer({ mode: "boolean" }).notNull().default(false),
    priority: integer().notNull().default(0),
    maxFailures: integer("max_failures").notNull(),
    /** Seconds. */
    heartbeatInterval: integer("heartbeat_interval").notNull(),
    created: integer().notNull(),
    started: integer(),
    completed: integer(),
    canceled: integer(),
    failed: integer(),
    /** Whichever of the three there is. */
    ended: integer().generatedAlwaysAs(sql`COALESCE(completed, failed, canceled)`, { mode: "virtual" }),
    heartbeat: integer(),
    numFailures: integer("num_failures").notNull().default(0),
    numHeartbeats: integer("num_heartbeats").notNull().default(0),
    numInterruptions: integer("num_interruptions").notNull().default(0),
    machineId: text("machine_id"),
    /** Seconds between a reported failure and the next hand-out; doubles with each further failure. */
    retryDelay: integer("retry_delay").notNull().default(0),
    stopSignal: text("stop_signal").$type<StopSignal>().notNull().default("SIGTERM"),
    /** Seconds, as the next two; null: no bound. */
    stopGrace: integer("stop_grace").notNull().default(30),
    timeout: integer(),
    stallTimeout: integer("stall_timeout"),
    /** The newest that a command told of itself, and when. */
    progress: text({ mode: "json" }).$type<ToldProgress>(),
    /** Not handed out before. */
    availableAt: integer("available_at").notNull().default(0),
    /** Machines of the attempts in a row that died soon after their command's start, without progress (quarantine). */
    earlyDeaths: text("early_deaths", { mode: "json" }).$type<string[]>().notNull().default([]),
    failedReason: text("failed_reason"),
    /** Number of the current or last attempt, 0 before the first: the fence of every write an agent causes. */
    attempt: integer().notNull().default(0),
    /** 0 once an acknowledged attempt gave the job back: such jobs go before fresh ones. */
    fresh: integer().notNull().default(1),
    /** The operation that wrote this row last: side effects of the same batch hang on it. */
    lastOp: text("last_op"),
    /** Some rule of `sync` uses managed storage: such jobs are not for old workers, and leave bytes behind (cron/). */
    managed: integer({ mode: "boolean" }).notNull().default(false),
  },
  (t) => [
    // Every read and write of one job.
    uniqueIndex("jobs_id").on(t.id),
    // readHead, readHeadFor: the queue of one group, in the order in which it is handed out; `available_at` at the end lets
    // jobs that pause be passed over without touching their rows.
    index("jobs_queue")
      .on(t.userId, t.containerGroupId, sql`${t.priority} DESC`, t.fresh, t.created, t.availableAt)
      .where(sql`status = 'pending'`),
    // readRunning (the cron sweep), readRunningOfGroup (purge).
    index("jobs_running").on(t.userId, t.containerGroupId, t.created).where(sql`status = 'running'`),
    // listJobs, by what it is filtered with (the last one also purgePending); `seq`, the rowid, ends every index and breaks ties. The admin's list
    // walks the table by `seq` instead: not worth one more index row on each insert.
    index("jobs_by_user").on(t.userId, t.created),
    index("jobs_by_user_status").on(t.userId, t.status, t.created),
    index("jobs_by_user_group").on(t.userId, t.containerGroupId, t.created),
    index("jobs_by_user_group_status").on(t.userId, t.containerGroupId, t.status, t.created),
    index("jobs_by_user_machine").on(t.userId, t.machineId, t.created).where(sql`machine_id IS NOT NULL`),
    // readEnded (the purge of what ended long ago), oldest first.
    index("jobs_ended").on(t.ended).where(sql`ended IS NOT NULL`),
  ],
);
export type JobRow = InferSelectModel<typeof jobs>;
