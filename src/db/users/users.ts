import type { Statement } from "../statement.ts";
import { discardUsersStorage, rootGarbageDelayMs } from "../storage/garbage.ts";

/** The admin's row; the admin is known by the key of the deployment, never by this row's name. */
export const admin = { id: "00000000-0000-4000-8000-000000000001", username: "admin" } as const;

/** Writes nothing when the name (or id) is taken: rows changed tell. Index: users_username. */
export function insertUser(user: { id: string; username: string; createdMs: number }): Statement {
  return {
    sql: "INSERT INTO users (id, username, created) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
    params: [user.id, user.username, user.createdMs],
  };
}

/** Index: the key of users. */
export function readUser(userId: string): Statement {
  return { sql: "SELECT id, username, created FROM users WHERE id = ?1", params: [userId] };
}
export interface UserRecord {
  id: string;
  username: string;
  created: number;
}

/** The user of that name, and the organization it is tied to, if it is. Index: users_username. */
export function readUserNamed(username: string): Statement {
  return { sql: "SELECT id, organization_id FROM users WHERE username = ?1", params: [username] };
}
export interface NamedUserRecord {
  id: string;
  organization_id: string | null;
}

/** Ties a user to an organization's id, once: a second one changes nothing. Index: the key of users. */
export function tieToOrganization(userId: string, organizationId: string): Statement {
  return {
    sql: "UPDATE users SET organization_id = ?2 WHERE id = ?1 AND organization_id IS NULL",
    params: [userId, organizationId],
  };
}

/**
 * All users but the admin with what they have in storage, in the outbox and in settings, and every token; the admin's key is no token
 * and stays.
 */
export function clearUsers(nowMs: number): Statement[] {
  return [
    ...discardUsersStorage(admin.id, nowMs + rootGarbageDelayMs),
    { sql: "DELETE FROM tokens", params: [] },
    ...["groups", "salad_groups", "scaling_rules", "scaling_events", "idempotency_keys", "deliveries"].map(
      (table) => ({
        sql: `DELETE FROM ${table} WHERE user_id <> ?1`,
        params: [admin.id],
      }),
    ),
    { sql: "DELETE FROM users WHERE id <> ?1", params: [admin.id] },
  ];
}
