/**
 * The public keys that sign the tokens of nodes, fetched from Salad and kept (docs/authentication.md). Guarantees: a key that was
 * fetched within a day counts whatever happens to its source; whatever tokens are sent, the source is asked at most once per cooldown.
 */
import { importJWK } from "jose";
import { z } from "zod";
import { limits } from "../contract/index.ts";
import { readTextAtMost } from "../http/read-text.ts";
import { type Keep, SharedCalls, within } from "../http/shared-calls.ts";

/** Salad rotates each of its two keys every two weeks, and signs with the older one. */
const freshMs = 10 * 60_000;
/** How long keys count that cannot be fetched again. */
const trustMs = 24 * 3_600_000;
/** Between two fetches for the sake of a key that was not among the last ones. */
const cooldownMs = 30_000;
const failureCooldownMs = 5_000;
const timeoutMs = 5_000;
const answerBytes = 64 * 1024;

const KeySet = z.object({ keys: z.array(z.record(z.string(), z.unknown())).max(100) });
/** The only keys that can sign with ES256; a set may have others. */
const SigningKey = z.object({
  kid: z.string().min(1).max(limits.idChars),
  kty: z.literal("EC"),
  crv: z.literal("P-256"),
  x: z.string(),
  y: z.string(),
  use: z.literal("sig").optional(),
  alg: z.literal("ES256").optional(),
});

export type KeyAnswer = { ok: true; key: CryptoKey } | { ok: false; reason: "unknown_key" | "unavailable" };

/** What one request lends to the keys. */
export interface KeyPorts {
  nowMs: number;
  keep: Keep;
  /** Hears why a fetch failed, in words. */
  onFailure: (detail: string) => void;
}

export class NodeKeys {
  readonly #url: string;
  readonly #fetches = new SharedCalls<boolean>();
  #keys = new Map<string, CryptoKey>();
  #fetchedMs = Number.NEGATIVE_INFINITY;
  #triedMs = Number.NEGATIVE_INFINITY;
  #failed = false;

  constructor(url: string) {
    this.#url = url;
  }

  async keyOf(kid: string, ports: KeyPorts): Promise<KeyAnswer> {
    const { nowMs } = ports;
    const known = nowMs - this.#fetchedMs < trustMs ? this.#keys.get(kid) : undefined;
    if (known) {
      if (nowMs - this.#fetchedMs >= freshMs && !this.#isCooling(nowMs)) this.#fetch(ports);
      return { ok: true, key: known };
    }
    if (this.#fetches.isUnderWay("", nowMs) || !this.#isCooling(nowMs)) {
      // Its own timeout ends it; this ends the wait for a fetch whose request is gone.
      const fetched = await within(this.#fetch(ports), timeoutMs + 1_000);
      if (!fetched) return { ok: false, reason: "unavailable" };
    } else if (this.#failed) {
      return { ok: false, reason: "unavailable" };
    }
    const key = this.#keys.get(kid);
    return key ? { ok: true, key } : { ok: false, reason: "unknown_key" };
  }

  #isCooling(nowMs: number): boolean {
    return nowMs - this.#triedMs < (this.#failed ? failureCooldownMs : cooldownMs);
  }

  /** Whether the keys were replaced by the source's. */
  #fetch({ nowMs, keep, onFailure }: KeyPorts): Promise<boolean> {
    return this.#fetches.share("", nowMs, keep, async () => {
      this.#triedMs = nowMs;
      const fetched = await fetchKeys(this.#url);
      this.#failed = !fetched.ok;
      if (fetched.ok) {
        this.#keys = fetched.keys;
        this.#fetchedMs = nowMs;
      } else {
        onFailure(fetched.detail);
      }
      return fetched.ok;
    });
  }
}

type Fetched = { ok: true; keys: Map<string, CryptoKey> } | { ok: false; detail: string };

async function fetchKeys(url: string): Promise<Fetched> {
  const signal = AbortSignal.timeout(timeoutMs);
  let text: string | null;
  try {
    const response = await fetch(url, {
      headers: { Accept: "application/json" },
      redirect: "manual",
      signal,
    });
    text = await readTextAtMost(response.body, answerBytes);
    if (response.status !== 200) return { ok: false, detail: `status ${response.status}` };
  } catch {
    return { ok: false, detail: signal.aborted ? `no answer within ${timeoutMs / 1000} s` : "no connection" };
  }
  if (text === null) return { ok: false, detail: `an answer of more than ${answerBytes} bytes` };
  const set = keySetOf(text);
  if (!set) return { ok: false, detail: "not a set of keys" };
  const keys = new Map<string, CryptoKey>();
  for (const candidate of set.keys) {
    const key = await importKey(candidate);
    if (key) keys.set(key.kid, key.key);
  }
  // An empty set is a mistake of the source rather than the end of all nodes.
  return keys.size > 0 ? { ok: true, keys } : { ok: false, detail: "no key for ES256" };
}

function keySetOf(text: string): z.infer<typeof KeySet> | undefined {
  try {
    return KeySet.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

/** `null` for a key that is none of ours to use, or no point of the curve. */
async function importKey(candidate: unknown): Promise<{ kid: string; key: CryptoKey } | null> {
  const parsed = SigningKey.safeParse(candidate);
  if (!parsed.success) return null;
  const { kid, kty, crv, x, y } = parsed.data;
  try {
    const key = await importJWK({ kty, crv, x, y }, "ES256");
    return key instanceof CryptoKey ? { kid, key } : null;
  } catch {
    return null;
  }
}
