import { limits } from "../../contract/index.ts";
import type { Statement } from "../statement.ts";

export interface NewTokenRow {
  hash: string;
  id: string;
  userId: string;
  orgName: string;
  projectName: string;
  name: string | null;
  role: "user" | "node";
  /** Of a node's token. */
  containerGroupId: string | null;
  createdMs: number;
  expiresMs: number | null;
}

/**
 * Writes nothing when there is no such user, or he has as many as he may: rows changed tell. Index: the key of users, tokens_by_user.
 */
export function insertToken(token: NewTokenRow): Statement {
  return {
    sql: `INSERT INTO tokens (hash, id, user_id, org_name, project_name, name, role, container_group_id, created, expires)
          SELECT ?1, ?2, id, ?4, ?5, ?6, ?7, ?8, ?9, ?10 FROM users
          WHERE id = ?3 AND (SELECT COUNT(*) FROM tokens WHERE user_id = ?3) < ?11`,
    params: [
      token.hash,
      token.id,
      token.userId,
      token.orgName,
      token.projectName,
      token.name,
      token.role,
      token.containerGroupId,
      token.createdMs,
      token.expiresMs,
      limits.tokens,
    ],
  };
}

/** Expired tokens of a user make room. Index: tokens_by_user. */
export function deleteExpiredTokens(userId: string, nowMs: number): Statement {
  return { sql: "DELETE FROM tokens WHERE user_id = ?1 AND expires <= ?2", params: [userId, nowMs] };
}

/** Who a token speaks for. Index: the key of tokens. */
export function readToken(hash: string): Statement {
  return {
    sql: "SELECT user_id, org_name, project_name, role, container_group_id, expires FROM tokens WHERE hash = ?1",
    params: [hash],
  };
}
export interface TokenRecord {
  user_id: string;
  org_name: string;
  project_name: string;
  role: "user" | "node";
  container_group_id: string | null;
  expires: number | null;
}

/** The tokens of a user that are worth something, oldest first. Index: tokens_by_user. */
export function listTokens(userId: string, nowMs: number): Statement {
  return {
    sql: `SELECT id, org_name, project_name, name, role, container_group_id, created, expires FROM tokens
          WHERE user_id = ?1 AND (expires IS NULL OR expires > ?2) ORDER BY created LIMIT ?3`,
    params: [userId, nowMs, limits.tokens],
  };
}
export interface ListedTokenRecord extends Omit<TokenRecord, "user_id"> {
  id: string;
  name: string | null;
  created: number;
}

/** Answers the hash of the token that is gone, or nothing. Index: tokens_by_user. */
export function deleteToken(userId: string, tokenId: string): Statement {
  return {
    sql: "DELETE FROM tokens WHERE user_id = ?1 AND id = ?2 RETURNING hash",
    params: [userId, tokenId],
  };
}
