/** Container groups: those of SaladCloud, and what people have set for them. */
import { integer, primaryKey, sqliteTable, text } from "drizzle-orm/sqlite-core";

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
