/** Whose jobs they are, and who may speak for them. */
import { index, integer, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";

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
