/**
 * The token that proves which node this is, kept and renewed in time. One question at a time, however many ask; while a known token is
 * good nobody waits for the next one, and a service that is down costs nothing before that token ends.
 *
 * How long a token is good is told by its own claims as long as this node's clock lies between them: PCs have wrong clocks, and one that
 * runs ahead must not make every fresh token look old. The API alone decides; what is reckoned here only says when to ask for another.
 */
import { z } from "zod";
import type { Clock, Mark } from "../clock.ts";
import type { Imds, ImdsAnswer } from "./imds.ts";

/** A token lives for 5 minutes and is handed out with 3 to 4 left: asked anew after half of that. */
const freshMs = 150_000;
/** …and in any case before its end, with room for several tries. */
const endMarginMs = 60_000;
/** What is left at least when it is handed out, where its claims and our clock do not agree. */
const assumedLifeMs = 180_000;
/** Between two questions: a service that is down, or hands out the same token again, is not hammered. */
const againMs = 5_000;

export interface NodeTokenSettings {
  imds: Imds;
  clock: Clock;
  /** Told of each token, before anybody uses it: it must reach no log. */
  onToken: (jwt: string) => void;
  wallMs?: () => number;
}

export interface KnownToken {
  jwt: string;
  /** As its claims say. */
  organization: string | undefined;
}

/** Claims that matter here; others, and whether they are true, are the API's business. */
const Claims = z.object({
  exp: z.number().optional().catch(undefined),
  iat: z.number().optional().catch(undefined),
  salad_organization_name: z
    .string()
    .regex(/^[\x20-\x7e]{1,200}$/)
    .optional()
    .catch(undefined),
});

interface Kept extends KnownToken {
  at: Mark;
  validMs: number;
}

export class NodeToken {
  readonly #settings: NodeTokenSettings;
  #kept: Kept | undefined;
  #askedAt: Mark | undefined;
  #asking: Promise<ImdsAnswer<string>> | undefined;

  constructor(settings: NodeTokenSettings) {
    this.#settings = settings;
  }

  /** One that is most likely good; a failure when there is none and none can be had just now. */
  async get(): Promise<ImdsAnswer<KnownToken>> {
    const kept = this.#good();
    if (kept) {
      const isFresh = kept.at.elapsedMs() < Math.min(freshMs, kept.validMs - endMarginMs);
      if (!isFresh && this.#mayAsk()) void this.#ask();
      return { ok: true, value: kept };
    }
    const answer = await this.#ask();
    // Even one that seems old: the service says that it is ours.
    if (answer.ok && this.#kept) return { ok: true, value: this.#kept };
    return answer.ok ? { ok: false, message: "no token" } : answer;
  }

  /** The API has refused this one. True: there is another. */
  async renew(jwt: string): Promise<boolean> {
    if (this.#kept?.jwt === jwt && this.#mayAsk()) await this.#ask();
    return this.#kept !== undefined && this.#kept.jwt !== jwt;
  }

  #good(): Kept | undefined {
    return this.#kept && this.#kept.at.elapsedMs() < this.#kept.validMs ? this.#kept : undefined;
  }

  #mayAsk(): boolean {
    if (this.#asking) return true;
    return this.#askedAt === undefined || this.#askedAt.elapsedMs() >= againMs;
  }

  #ask(): Promise<ImdsAnswer<string>> {
    this.#asking ??= this.#fetch().finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  async #fetch(): Promise<ImdsAnswer<string>> {
    const { imds, clock, onToken } = this.#settings;
    const at = clock.mark();
    this.#askedAt = at;
    const answer = await imds.token();
    if (!answer.ok) return answer;
    const jwt = answer.value;
    // The same one again is not younger for that.
    if (this.#good()?.jwt === jwt) return answer;
    onToken(jwt);
    const claims = claimsOf(jwt);
    this.#kept = { jwt, organization: claims.salad_organization_name, at, validMs: this.#lifeMs(claims) };
    return answer;
  }

  #lifeMs({ exp, iat }: z.infer<typeof Claims>): number {
    const { wallMs = Date.now } = this.#settings;
    if (exp === undefined) return assumedLifeMs;
    const leftMs = exp * 1000 - wallMs();
    const wholeMs = iat === undefined ? assumedLifeMs : (exp - iat) * 1000;
    // Between its two times, or our clock is wrong.
    if (leftMs > 0 && (iat === undefined || leftMs <= wholeMs)) return leftMs;
    return Math.max(0, Math.min(assumedLifeMs, wholeMs));
  }
}

function claimsOf(jwt: string): z.infer<typeof Claims> {
  try {
    return Claims.parse(JSON.parse(Buffer.from(jwt.split(".")[1] ?? "", "base64url").toString("utf8")));
  } catch {
    return {}; // not a token as we know them; the API will say what it thinks of it
  }
}

/** Adds each token to what a log masks; older ones that can still be good stay, and no more. */
export function rememberingIn(secrets: Set<string>): (jwt: string) => void {
  const kept: string[] = [];
  return (jwt) => {
    secrets.add(jwt);
    kept.push(jwt);
    // They live for 5 minutes and are asked for each 5 seconds at most.
    if (kept.length > 60) secrets.delete(kept.shift() ?? "");
  };
}
