/** Listing and revoking the tokens of one user, whoever asked. */
import type { Context } from "hono";
import { z } from "zod";
import type { TokenList } from "../../contract/index.ts";
import { prepare } from "../../db/prepare.ts";
import { deleteToken, type ListedTokenRecord, listTokens } from "../../db/users/tokens.ts";
import { ApiError } from "../../middleware/api-error.ts";
import type { AppEnv } from "../../middleware/app-env.ts";
import { forgetToken } from "../../middleware/authenticate.ts";
import { presentToken } from "./present-token.ts";

export const TokenId = z.string().describe("Id of the token, as lists tell it");

export async function tokensOf(c: Context<AppEnv>, userId: string): Promise<TokenList> {
  const statement = prepare(c.env.DB, listTokens(userId, Date.now()));
  const { results } = await statement.all<ListedTokenRecord>();
  return { _count: results.length, tokens: results.map(presentToken) };
}

/** 404 for a token that is not this user's. */
export async function revoke(c: Context<AppEnv>, userId: string, tokenId: string): Promise<void> {
  const gone = await prepare(c.env.DB, deleteToken(userId, tokenId)).first<{ hash: string }>();
  if (!gone) throw new ApiError("not_found", { what: "token" });
  forgetToken(gone.hash);
}
