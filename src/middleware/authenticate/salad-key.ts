/**
 * A Salad API key, asked of Salad itself: can it list that organization's and project's container groups? Caches and what happens while
 * Salad is down: docs/authentication.md. The key goes to Salad and nowhere else.
 */
import type { Context } from "hono";
import { prepare } from "../../db/prepare.ts";
import { recordGroups } from "../../db/salad/groups.ts";
import { ExpiringCache } from "../../domain/expiring-cache.ts";
import { hexOf } from "../../domain/hex.ts";
import { configOf } from "../../env.ts";
import { type Keep, SharedCalls, within } from "../../http/shared-calls.ts";
import { listGroups, type SaladGroup } from "../../salad/client.ts";
import { ApiError } from "../api-error.ts";
import type { AppEnv } from "../app-env.ts";
import { describeError, log } from "../log.ts";
import { refuseAfterFailures } from "../rate-limit.ts";
import { sha256 } from "../sha256.ts";
import { userIdOfOrganization } from "./organization-user.ts";
import { maxKnown, type Verdict, wrongMs } from "./verdict.ts";

export interface SaladCredential {
  key: string;
  organization: string;
  project: string;
}

/** How long a yes is not asked again: also how long a key that was revoked at Salad still works here. */
const freshMs = 5 * 60_000;
/** How long a yes counts while Salad does not answer. */
const staleMs = 3_600_000;
/** Between two questions that Salad did not answer. */
const unansweredSeconds = 5;
/** A caller with an old yes waits so long for the new one. */
const staleWaitMs = 2_000;
/** The client gives up after 10 s. */
const waitMs = 12_000;

const verified = new ExpiringCache<{ sinceMs: number }>(maxKnown);
const wrong = new ExpiringCache<true>(maxKnown);
const unanswered = new ExpiringCache<true>(maxKnown);
const questions = new SharedCalls<"yes" | "no" | "unanswered">();

export async function verdictOfSaladKey(c: Context<AppEnv>, credential: SaladCredential): Promise<Verdict> {
  // As JSON, lest parts of one run into another.
  const { key, organization, project } = credential;
  const hash = hexOf(await sha256(JSON.stringify([key, organization, project])));
  const word = await saladsWord(c, hash, credential);
  if (word === "no") return { wrong: "Salad knows no such key for this organization and project" };
  if (word === "unanswered") {
    const problem = "Salad does not answer whether this key is valid";
    throw new ApiError("unavailable", { problem, retryAfterSeconds: unansweredSeconds });
  }
  const userId = await userIdOfOrganization(c, organization);
  return {
    principal: { userId, role: "user", orgName: organization, projectName: project },
    credential: hash,
  };
}

async function saladsWord(
  c: Context<AppEnv>,
  hash: string,
  credential: SaladCredential,
): Promise<"yes" | "no" | "unanswered"> {
  const nowMs = Date.now();
  if (wrong.get(hash, nowMs)) return "no";
  const known = verified.get(hash, nowMs);
  if (known && nowMs - known.sinceMs < freshMs) return "yes";
  if (unanswered.get(hash, nowMs)) return known ? "yes" : "unanswered";
  const keep: Keep = (call) => c.executionCtx.waitUntil(call);
  const answer = questions.share(hash, nowMs, keep, () => {
    // Guesses cost Salad nothing once there were too many. What was right lately is no guess.
    if (!known) refuseAfterFailures(c);
    return askSalad(c, hash, credential);
  });
  const word = (await within(answer, known ? staleWaitMs : waitMs)) ?? "unanswered";
  return word === "unanswered" && known ? "yes" : word;
}

async function askSalad(
  c: Context<AppEnv>,
  hash: string,
  { key, organization, project }: SaladCredential,
): Promise<"yes" | "no" | "unanswered"> {
  const { apiUrl } = configOf(c.env).salad;
  const answer = await listGroups({ apiUrl, apiKey: key }, organization, project);
  const nowMs = Date.now();
  if (answer.ok) {
    verified.set(hash, { sinceMs: nowMs }, nowMs + staleMs);
    await record(c, organization, project, answer.value);
    return "yes";
  }
  if (answer.reason === "unavailable") {
    const { status, detail } = answer;
    log("warning", "salad_unavailable", { organization, project, status, detail });
    unanswered.set(hash, true, nowMs + unansweredSeconds * 1000);
    return "unanswered";
  }
  verified.delete(hash);
  wrong.set(hash, true, nowMs + wrongMs);
  return "no";
}

/** Which groups there are is news by the way: the verdict stands without. */
async function record(
  c: Context<AppEnv>,
  organization: string,
  project: string,
  groups: SaladGroup[],
): Promise<void> {
  if (groups.length === 0) return;
  try {
    const userId = await userIdOfOrganization(c, organization);
    await prepare(c.env.DB, recordGroups(userId, project, groups, Date.now())).run();
  } catch (error) {
    log("warning", "salad_groups_not_recorded", { organization, project, error: describeError(error) });
  }
}
