/**
 * The abuse guard: Cloudflare's rate-limit bindings, approximate and per data center (docs/authentication.md has the numbers and their
 * reasons; wrangler.toml sets them). Without the bindings, or when it is switched off, nothing is counted.
 */
import type { Context, MiddlewareHandler } from "hono";
import { ExpiringCache } from "../domain/expiring-cache.ts";
import { configOf } from "../env.ts";
import type { Access } from "./access.ts";
import { ApiError } from "./api-error.ts";
import type { AppEnv } from "./app-env.ts";

/** Their windows in wrangler.toml, seconds: after so long a client may come again. */
const windowSeconds = { PEOPLE_LIMIT: 10, AGENTS_LIMIT: 10, FAILURES_LIMIT: 60 } as const;
type Limit = keyof typeof windowSeconds;
/** Some 100 bytes each. */
const maxNetworks = 10_000;

/** 429 for a credential that asks too much of that kind of routes. Goes after `authenticate`, before anything is read. */
export function limitRate(access: Exclude<Access, "anyone">): MiddlewareHandler<AppEnv> {
  const limit = access === "agents" ? "AGENTS_LIMIT" : "PEOPLE_LIMIT";
  return (c, next) => {
    const binding = bindingOf(c, limit);
    return binding ? count(binding, limit, c.var.credential).then(next) : next();
  };
}

/**
 * Networks that were over the limit of failures lately, as far as this isolate has seen: the binding can count, but cannot be asked
 * without counting.
 */
const overFailures = new ExpiringCache<true>(maxNetworks);

/** After a wrong credential: 429 when there were too many from this address. */
export async function countFailure(c: Context<AppEnv>): Promise<void> {
  const limit = "FAILURES_LIMIT";
  const binding = bindingOf(c, limit);
  const network = networkOfCaller(c);
  if (!binding || network === undefined) return;
  const { success } = await binding.limit({ key: network });
  if (success) return;
  overFailures.set(network, true, Date.now() + windowSeconds[limit] * 1000);
  throw tooMany(limit);
}

/**
 * 429 for who was over the limit of failures within its window. For credentials of which only others know whether they are right, before
 * these are asked; what is known already needs no asking, and is not refused.
 */
export function refuseAfterFailures(c: Context<AppEnv>): void {
  const limit = "FAILURES_LIMIT";
  const network = networkOfCaller(c);
  if (!bindingOf(c, limit) || network === undefined) return;
  if (overFailures.get(network, Date.now())) throw tooMany(limit);
}

function networkOfCaller(c: Context<AppEnv>): string | undefined {
  const address = c.req.header("cf-connecting-ip");
  return address ? networkOf(address) : undefined;
}

function bindingOf(c: Context<AppEnv>, limit: Limit): RateLimit | undefined {
  return configOf(c.env).rateLimits ? (c.env[limit] as RateLimit | undefined) : undefined;
}

async function count(binding: RateLimit, limit: Limit, key: string): Promise<void> {
  const { success } = await binding.limit({ key });
  if (!success) throw tooMany(limit);
}

function tooMany(limit: Limit): ApiError {
  return new ApiError("rate_limited", { retryAfterSeconds: windowSeconds[limit] });
}

/** A line of IPv6 has 2^64 addresses: they count as one. */
export function networkOf(address: string): string {
  if (!address.includes(":")) return address;
  const [head = "", tail] = address.split("::");
  const groups = head.split(":").filter((group) => group !== "");
  // What `::` stands for is zeros; the second half of the address does not matter.
  const missing = tail === undefined ? 0 : 8 - groups.length - tail.split(":").filter(Boolean).length;
  const all = [
    ...groups,
    ...Array<string>(Math.max(missing, 0)).fill("0"),
    ...(tail ?? "").split(":").filter(Boolean),
  ];
  return all
    .slice(0, 4)
    .map((group) => group.toLowerCase().replace(/^0+(?=.)/, ""))
    .join(":");
}
