import type { Statement } from "../statement.ts";

export interface NewTokenRow {
  hash: string;
  userId: string;
  orgName: string;
  projectName: string;
  createdMs: number;
}

/** Writes nothing when there is no such user: rows changed tell. Index: the key of users. */
export function insertToken(token: NewTokenRow): Statement {
  return {
    sql: `INSERT INTO tokens (hash, user_id, org_name, project_name, created)
          SELECT ?1, id, ?3, ?4, ?5 FROM users WHERE id = ?2`,
    params: [token.hash, token.userId, token.orgName, token.projectName, token.createdMs],
  };
}

/** Who a token speaks for. Index: the key of tokens. */
export function readToken(hash: string): Statement {
  return { sql: "SELECT user_id, org_name, project_name FROM tokens WHERE hash = ?1", params: [hash] };
}
export interface TokenRecord {
  user_id: string;
  org_name: string;
  project_name: string;
}
