/** `X-Kelpie-Key`: the admin's key, or a token. Tokens are looked up by hash and kept for a while, which keeps D1 off the hot path. */
import type { Context } from "hono";
import { prepare } from "../../db/prepare.ts";
import { readToken, type TokenRecord } from "../../db/users/tokens.ts";
import { admin, insertUser } from "../../db/users/users.ts";
import { ExpiringCache } from "../../domain/expiring-cache.ts";
import { hexOf } from "../../domain/hex.ts";
import { type Config, configOf } from "../../env.ts";
import type { AppEnv, Principal } from "../app-env.ts";
import { sha256 } from "../sha256.ts";
import { maxKnown, type Verdict, wrongMs } from "./verdict.ts";

/** The bound that issue and documentation promise for revocation. */
const knownMs = 60_000;

const known = new ExpiringCache<Principal>(maxKnown);
/** Apart, so that guesses push out nobody. */
const wrong = new ExpiringCache<true>(maxKnown);

const adminDigests = new WeakMap<Config, Uint8Array>();

/** The admin's row needs writing once per database; once per isolate is near enough. */
let adminEnsured = false;

export async function verdictOfKelpieKey(c: Context<AppEnv>, key: string): Promise<Verdict> {
  const digest = await sha256(key);
  const credential = hexOf(digest);
  if (await isAdminKey(c, digest)) {
    await ensureAdmin(c);
    return { principal: { userId: admin.id, role: "admin" }, credential };
  }
  const principal = await principalOfToken(c, credential);
  return principal ? { principal, credential } : { wrong: "X-Kelpie-Key is not valid" };
}

/** Makes this isolate forget a token; others follow within the cache's minute. */
export function forgetToken(hash: string): void {
  known.delete(hash);
}

export function forgetAllTokens(): void {
  known.clear();
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
  const principal = known.get(hash, nowMs);
  if (principal) return principal;
  if (wrong.get(hash, nowMs)) return null;
  const record = await prepare(c.env.DB, readToken(hash)).first<TokenRecord>();
  const expiresMs = record?.expires ?? Number.POSITIVE_INFINITY;
  if (!record || expiresMs <= nowMs) {
    wrong.set(hash, true, nowMs + wrongMs);
    return null;
  }
  const found = principalOf(record);
  known.set(hash, found, Math.min(nowMs + knownMs, expiresMs));
  return found;
}

function principalOf(record: TokenRecord): Principal {
  const identity = {
    userId: record.user_id,
    orgName: record.org_name,
    projectName: record.project_name,
    ...(record.expires === null ? {} : { expiresMs: record.expires }),
  };
  if (record.role === "user") return { ...identity, role: "user" };
  if (record.container_group_id === null) throw new Error("a node's token without a group");
  return { ...identity, role: "node", containerGroupId: record.container_group_id };
}
