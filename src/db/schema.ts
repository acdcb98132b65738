/**
 * The queue in D1: what each job is, what became of it, which attempts it had. Times are milliseconds since the
 * epoch, taken from the clock of the group's object wherever an agent causes the write.
 *
 * An index earns its place by the query it serves, named beside it; test/api/query-plans.test.ts checks them all.
 */
import { type InferSelectModel, sql } from "drizzle-orm";
import { index, integer, primaryKey, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";
import type {
  AttemptCause,
  AttemptEnd,
  JobStatus,
  LegacyStorage,
  NodeFacts,
  ScalingAction,
  ScalingTrigger,
  StopSignal,
  Sync,
  WebhookEvent,
} from "../contract/index.ts";
import type { ToldProgress } from "../domain/progress.ts";

export const users = sqliteTable(
  "users",
  {
    id: text().primaryKey(),
    /** Of an organization of SaladCloud: its name. */
    username: text().notNull(),
    created: integer().notNull(),
    /** The organization's id, as the first token of one of its nodes told it (`aud`); a later one must tell the same. */
    organizationId: text("organization_id"),
    /** What the secret that signs webhooks is derived from, with the deployment's key; null: none was made yet. */
    webhookNonce: text("webhook_nonce"),
    /** Signs as well, for a while after a rotation. */
    webhookNonceBefore: text("webhook_nonce_before"),
    webhookRotated: integer("webhook_rotated"),
  },
  // create-user: a name is taken once.
  (t) => [uniqueIndex("users_username").on(t.username)],
);

export const tokens = sqliteTable(
  "tokens",
  {
    /** SHA-256 of the token, hex; the token itself is stored nowhere. */
    hash: text().primaryKey(),
    /** What it is called in lists and when it is revoked; says nothing about the token. */
    id: text().notNull().default(""),
    userId: text("user_id").notNull(),
    orgName: text("org_name").notNull(),
    projectName: text("project_name").notNull(),
    /** For people. */
    name: text(),
    /** Whom it makes of its bearer: a person of the organization, or a node of one container group, which may claim and report there. */
    role: text().$type<"user" | "node">().notNull().default("user"),
    /** The group of a node's token. */
    containerGroupId: text("container_group_id"),
    created: integer().notNull(),
    /** Worthless from then on; null: never. */
    expires: integer(),
  },
  // Lists, and revoking by id.
  (t) => [index("tokens_by_user").on(t.userId, t.created)],
);

/**
 * Container groups of SaladCloud, as the Salad API listed them to a caller of that organization and project: which project a node's
 * group is of. Never filled from what a node says.
 */
export const saladGroups = sqliteTable(
  "salad_groups",
  {
    userId: text("user_id").notNull(),
    containerGroupId: text("container_group_id").notNull(),
    projectName: text("project_name").notNull(),
    containerGroupName: text("container_group_name").notNull(),
    seen: integer().notNull(),
  },
  (t) => [primaryKey({ columns: [t.userId, t.containerGroupId] })],
);

/** What people have set for a container group. */
export const groups = sqliteTable(
  "groups",
  {
    userId: text("user_id").notNull(),
    containerGroupId: text("container_group_id").notNull(),
    /** Since when nothing new is handed out; null: it is. The claim's own fence reads it. */
    paused: integer(),
  },
  (t) => [primaryKey({ columns: [t.userId, t.containerGroupId] })],
);

export const scalingRules = sqliteTable(
  "scaling_rules",
  {
    userId: text("user_id").notNull(),
    containerGroupId: text("container_group_id").notNull(),
    orgName: text("org_name").notNull(),
    projectName: text("project_name").notNull(),
    containerGroupName: text("container_group_name").notNull(),
    minReplicas: integer("min_replicas").notNull(),
    maxReplicas: integer("max_replicas").notNull(),
    idleThresholdSeconds: integer("idle_threshold_seconds").notNull(),
    jobsPerReplica: integer("jobs_per_replica").notNull().default(1),
    /** Seconds, as the next. */
    scaleUpCooldown: integer("scale_up_cooldown").notNull().default(0),
    scaleDownCooldown: integer("scale_down_cooldown").notNull().default(900),
    paused: integer({ mode: "boolean" }).notNull().default(false),
    /** When the autoscaler last asked SaladCloud for more, and for fewer, instances. */
    scaledUp: integer("scaled_up"),
    scaledDown: integer("scaled_down"),
    created: integer().notNull(),
    updated: integer().notNull(),
  },
  (t) => [primaryKey({ columns: [t.userId, t.containerGroupId] })],
);
/**
 * Decisions of the autoscaler that changed something or failed, and rules that were removed because their group is gone. No decision that left
 * everything as it was.
 */
export const scalingEvents = sqliteTable(
  "scaling_events",
  {
    seq: integer().primaryKey({ autoIncrement: true }),
    userId: text("user_id").notNull(),
    containerGroupId: text("container_group_id").notNull(),
    /** When it was decided. */
    at: integer().notNull(),
    /** What made the autoscaler look: the minute's cron, a submission, a person. */
    trigger: text().$type<ScalingTrigger>().notNull(),
    action: text().$type<ScalingAction>().notNull(),
    /** What the decision was made from. */
    inputs: text({ mode: "json" }).$type<Record<string, unknown>>().notNull(),
    /** Replicas that were wanted; null: it did not get so far. */
    wanted: integer(),
    /** Replicas before and after; null: not known, or unchanged. */
    replicasBefore: integer("replicas_before"),
    replicasAfter: integer("replicas_after"),
    /** In words. */
    reason: text().notNull(),
    /** What went wrong; null: it was done. */
    error: text(),
  },
  (t) => [
    // listScalingEvents, newest first, and the purge of what is beyond the newest of a rule.
    index("scaling_events_by_rule").on(t.userId, t.containerGroupId, t.seq),
    // The purge of what is old.
    index("scaling_events_at").on(t.at),
  ],
);
export type ScalingEventRow = InferSelectModel<typeof scalingEvents>;

export type ScalingRuleRow = InferSelectModel<typeof scalingRules>;

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
