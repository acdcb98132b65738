/**
 * Who is asking. `X-Kelpie-Key` wins over everything else a request carries: it is the admin's key or a token.
 * Salad API keys and the tokens of nodes (IMDS) are recognised, their headers checked, and refused for now.
 */

import type { Context, MiddlewareHandler } from "hono";
import { prepare } from "../db/prepare.ts";
import { readToken, type TokenRecord } from "../db/users/tokens.ts";
import { admin, insertUser } from "../db/users/users.ts";
import { hexOf } from "../domain/hex.ts";
import { type Config, configOf } from "../env.ts";
import { ApiError } from "./api-error.ts";
import type { AppEnv, Principal } from "./app-env.ts";
import { sha256 } from "./sha256.ts";
import { TokenCache } from "./token-cache.ts";

const tokens = new TokenCache();

const adminDigests = new WeakMap<Config, Uint8Array>();

/** The admin's row needs writing once per database; once per isolate is near enough. */
let adminEnsured = false;

/** Sets `principal`, or refuses: 400 for half a credential, 401 for none, 403 for a wrong one. */
export const authenticate: MiddlewareHandler<AppEnv> = async (c, next) => {
  c.set("principal", await principalOf(c));
  await next();
};

/** Makes this isolate forget the tokens it has seen; others follow within the cache's minute. */
export function forgetTokens(): void {
  tokens.clear();
}

async function principalOf(c: Context<AppEnv>): Promise<Principal> {
  const kelpieKey = c.req.header("x-kelpie-key");
  if (kelpieKey) return await principalOfKey(c, kelpieKey);

  if (c.req.header("salad-api-key")) {
    if (!c.req.header("salad-organization") || !c.req.header("salad-project")) {
      throw new ApiError("invalid_request", {
        problem: "Salad-Api-Key needs the headers Salad-Organization and Salad-Project beside it",
      });
    }
    throw new ApiError("forbidden", { problem: "this deployment does not accept Salad API keys yet" });
  }

  if (/^bearer\s+\S/i.test(c.req.header("authorization") ?? "")) {
    if (!c.req.header("salad-project")) {
      throw new ApiError("invalid_request", {
        problem: "a Bearer token needs the header Salad-Project beside it",
      });
    }
    throw new ApiError("forbidden", { problem: "this deployment does not accept the tokens of nodes yet" });
  }
  throw new ApiError("unauthorized", { problem: "give a credential: X-Kelpie-Key" });
}

async function principalOfKey(c: Context<AppEnv>, key: string): Promise<Principal> {
  const digest = await sha256(key);
  if (await isAdminKey(c, digest)) {
    await ensureAdmin(c);
    return { userId: admin.id, role: "admin" };
  }
  const principal = await principalOfToken(c, hexOf(digest));
  if (!principal) throw new ApiError("forbidden", { problem: "X-Kelpie-Key is not valid" });
  return principal;
}

/** Compares digests, in constant time: neither length nor content of the key shows in how long it takes. */
async function isAdminKey(c: Context<AppEnv>, digest: Uint8Array): Promise<boolean> {
  const config = configOf(c.env);
  if (config.adminKey === null) return false;
  const adminDigest = adminDigests.get(config) ?? (await sha256(config.adminKey));
  adminDigests.set(config, adminDigest);
  return crypto.subtle.timingSafeEqual(digest, adminDigest);
}

async function ensureAdmin(c: Context<AppEnv>): Promise<void> {
  if (adminEnsured) return;
  await prepare(c.env.DB, insertUser({ ...admin, createdMs: Date.now() })).run();
  adminEnsured = true;
}

async function principalOfToken(c: Context<AppEnv>, hash: string): Promise<Principal | null> {
  const nowMs = Date.now();
  const known = tokens.get(hash, nowMs);
  if (known !== undefined) return known;
  const record = await prepare(c.env.DB, readToken(hash)).first<TokenRecord>();
  const principal: Principal | null = record && {
    userId: record.user_id,
    role: "user",
    orgName: record.org_name,
    projectName: record.project_name,
  };
  tokens.set(hash, principal, nowMs);
  return principal;
}
