/** Making a token, whoever asked: it is told once and kept as a hash. */
import type { Context } from "hono";
import type { NewOwnToken, Token } from "../../contract/index.ts";
import { limits } from "../../contract/index.ts";
import { prepare } from "../../db/prepare.ts";
import { deleteExpiredTokens, insertToken } from "../../db/users/tokens.ts";
import { readUser } from "../../db/users/users.ts";
import { hexOf } from "../../domain/hex.ts";
import { ApiError } from "../../middleware/api-error.ts";
import type { AppEnv } from "../../middleware/app-env.ts";
import { sha256 } from "../../middleware/sha256.ts";
import { presentToken } from "./present-token.ts";

export interface TokenOwner {
  userId: string;
  orgName: string;
  projectName: string;
  /** When the token that asks for this one ends: none outlives the one that made it. */
  expiresMs?: number;
}

/** 404 for a user that is not there, 400 for an end that cannot be or one token too many. */
export async function makeToken(
  c: Context<AppEnv>,
  { userId, orgName, projectName, expiresMs }: TokenOwner,
  wanted: NewOwnToken,
): Promise<Token> {
  const token = randomToken();
  const createdMs = Date.now();
  const row = {
    hash: hexOf(await sha256(token)),
    id: crypto.randomUUID(),
    userId,
    orgName,
    projectName,
    name: wanted.name ?? null,
    role: wanted.role,
    containerGroupId: wanted.container_group_id ?? null,
    createdMs,
    expiresMs: endOf(wanted, createdMs, expiresMs),
  };
  const [, inserted, user] = await c.env.DB.batch(
    [deleteExpiredTokens(userId, createdMs), insertToken(row), readUser(userId)].map((statement) =>
      prepare(c.env.DB, statement),
    ),
  );
  if (user?.results.length === 0) throw new ApiError("not_found", { what: "user" });
  if (inserted?.meta.changes !== 1) {
    const problem = `the user has ${limits.tokens} tokens, which is all that there may be: revoke some`;
    throw new ApiError("invalid_request", { problem });
  }
  const { id, role } = row;
  const record = { id, role, name: row.name, org_name: orgName, project_name: projectName };
  const times = { created: createdMs, expires: row.expiresMs, container_group_id: row.containerGroupId };
  return { token, ...presentToken({ ...record, ...times }) };
}

function endOf(
  { expires, expires_seconds }: NewOwnToken,
  nowMs: number,
  latestMs: number | undefined,
): number | null {
  if (expires === undefined && expires_seconds === undefined) return latestMs ?? null;
  const field = expires === undefined ? "expires_seconds" : "expires";
  const endMs = expires === undefined ? nowMs + (expires_seconds ?? 0) * 1000 : Date.parse(expires);
  if (endMs <= nowMs) throw new ApiError("invalid_request", { problem: "is in the past", field });
  if (endMs > nowMs + limits.tokenSeconds * 1000) {
    throw new ApiError("invalid_request", { problem: "is more than ten years away", field });
  }
  if (latestMs !== undefined && endMs > latestMs) {
    throw new ApiError("invalid_request", { problem: "is after the end of the token that asks", field });
  }
  return endMs;
}

/** 256 bits; being beyond guessing, it needs no slow hash. The prefix lets secret scanners and people recognise it. */
function randomToken(): string {
  return `kelpie_${hexOf(crypto.getRandomValues(new Uint8Array(32)))}`;
}
