/** How container groups grow and shrink, and what the autoscaler did about it. */
import type { InferSelectModel } from "drizzle-orm";
import { index, integer, primaryKey, sqliteTable, text } from "drizzle-orm/sqlite-core";
import type { ScalingAction, ScalingTrigger } from "../../contract/index.ts";

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
export type ScalingRuleRow = InferSelectModel<typeof scalingRules>;

/**
 * Container groups whose grants are held back since SaladCloud takes instances away (docs/autoscaling.md): where the autoscaler looks what became of
 * it, also when the rule is paused, gone or another. The hold itself, and what it is for, is in the group's object.
 */
export const openHolds = sqliteTable(
  "open_holds",
  {
    userId: text("user_id").notNull(),
    containerGroupId: text("container_group_id").notNull(),
    orgName: text("org_name").notNull(),
    projectName: text("project_name").notNull(),
    containerGroupName: text("container_group_name").notNull(),
    /** When it was begun, which tells it from the group's next one. */
    begun: integer().notNull(),
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
