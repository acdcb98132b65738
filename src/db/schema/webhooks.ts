/** What webhooks are to be told. */
import { type InferSelectModel, sql } from "drizzle-orm";
import { index, integer, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";
import type { WebhookEvent } from "../../contract/index.ts";

/**
 * The outbox of webhooks: one row per event, written in the very batch of the transition that it tells of (docs/webhooks.md). Delivered at
 * least once; `id` is the same in each try.
 */
export const deliveries = sqliteTable(
  "deliveries",
  {
    seq: integer().primaryKey({ autoIncrement: true }),
    /** `webhook-id`. */
    id: text().notNull(),
    userId: text("user_id").notNull(),
    jobId: text("job_id").notNull(),
    /** Of the events of this job: 1, 2, … in the order in which they happened. */
    number: integer().notNull(),
    event: text().$type<WebhookEvent>().notNull(),
    url: text().notNull(),
    attempt: integer().notNull(),
    machineId: text("machine_id"),
    containerGroupId: text("container_group_id").notNull(),
    /** When it happened. */
    created: integer().notNull(),
    /** The operation that wrote it: a repeated batch writes it once. */
    op: text().notNull(),
    tries: integer().notNull().default(0),
    /** The next try, and while one is under way the end of its lease; null: none is to come. */
    due: integer(),
    /** Who tries just now; fences what it reports. */
    leaseOp: text("lease_op"),
    delivered: integer(),
    /** Given up. */
    abandoned: integer(),
    lastStatus: integer("last_status"),
    lastError: text("last_error"),
  },
  (t) => [
    uniqueIndex("deliveries_op").on(t.jobId, t.op, t.event),
    // Lists of one job; the next number.
    uniqueIndex("deliveries_by_job").on(t.jobId, t.number),
    // readDue: oldest first.
    index("deliveries_due").on(t.due).where(sql`due IS NOT NULL`),
    // Lists of a user.
    index("deliveries_by_user").on(t.userId, t.seq),
  ],
);
export type DeliveryRow = InferSelectModel<typeof deliveries>;
