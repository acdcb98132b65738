/** Managed storage: generations, outputs, and what may be deleted. */
import { type InferSelectModel, sql } from "drizzle-orm";
import { index, integer, primaryKey, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";

/** Generations of snapshots, each committed whole (docs/storage.md). */
export const checkpoints = sqliteTable(
  "checkpoints",
  {
    /** Order of the commits. The newest of a (job, prefix) that is neither retired nor damaged is its head. */
    seq: integer().primaryKey({ autoIncrement: true }),
    jobId: text("job_id").notNull(),
    prefix: text().notNull(),
    /** With `generation` and the job: where its own objects are. */
    attempt: integer().notNull(),
    generation: integer().notNull(),
    baseSeq: integer("base_seq"),
    manifestSha256: text("manifest_sha256").notNull(),
    manifestBytes: integer("manifest_bytes").notNull(),
    committed: integer().notNull(),
    files: integer().notNull(),
    bytesNew: integer("bytes_new").notNull(),
    bytesTotal: integer("bytes_total").notNull(),
    quiet: integer({ mode: "boolean" }).notNull(),
    /** Over the number to keep: since when. What it alone names may be deleted. */
    retired: integer(),
    /** Since when everything that it named, and nobody kept named, is deleted. */
    purged: integer(),
    /** Not intact: since when. */
    damaged: integer(),
    /** Machines that read other bytes than those that were committed, and of which object. */
    doubts: text({ mode: "json" }).$type<{ machine: string; object: string }[]>().notNull().default([]),
    /** The operation that committed it. */
    op: text().notNull(),
  },
  (t) => [
    // A commit whose answer was lost; which generations of a dead attempt are not leftovers; listCheckpoints.
    uniqueIndex("checkpoints_name").on(t.jobId, t.attempt, t.generation),
    // The head of a series; the generations to keep. Retired rows stay as history, thousands in a job of weeks: not in here.
    index("checkpoints_series").on(t.jobId, t.prefix, t.seq).where(sql`retired IS NULL`),
    // readRetired (the storage sweep), oldest first.
    index("checkpoints_unpurged").on(t.retired).where(sql`retired IS NOT NULL AND purged IS NULL`),
  ],
);
export type CheckpointRow = InferSelectModel<typeof checkpoints>;

/**
 * Outputs in managed storage, recorded by the attempt that uploaded them. Published, that is seen by people under `key`, once
 * that very attempt has ended as `completed`: the settle itself publishes, without a statement of its own.
 */
export const outputs = sqliteTable(
  "outputs",
  {
    userId: text("user_id").notNull(),
    key: text().notNull(),
    jobId: text("job_id").notNull(),
    attempt: integer().notNull(),
    bytes: integer().notNull(),
    etag: text().notNull(),
    uploaded: integer().notNull(),
    /** Its job and attempt were purged after they had ended as `completed`: published all the same. */
    kept: integer({ mode: "boolean" }).notNull().default(false),
  },
  (t) => [
    // Lists and reads of people, by key.
    primaryKey({ columns: [t.userId, t.key, t.jobId, t.attempt] }),
    // Leftovers of an attempt.
    index("outputs_by_attempt").on(t.jobId, t.attempt),
  ],
);

/** Everything in the bucket below `prefix` may be deleted from `due` on: of jobs whose rows are gone. */
export const storageGarbage = sqliteTable(
  "storage_garbage",
  { prefix: text().primaryKey(), due: integer().notNull() },
  (t) => [index("storage_garbage_due").on(t.due)],
);
