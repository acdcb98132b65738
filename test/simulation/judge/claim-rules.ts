/** What a claim may be answered: "nothing there" and "ask again" must have their reasons, what is given is given once. */
import type { ClaimAnswer } from "../../../src/group/protocol.ts";
import { second } from "../scenario.ts";
import { type AnswerContext, excusable } from "./answer-rules.ts";

export interface ClaimCall {
  /** The claim id, or a name for an old worker's call. */
  name: string;
  old: boolean;
  machineId: string;
  startedMs: number;
}

export function claimAnswered(ctx: AnswerContext, call: ClaimCall, answer: ClaimAnswer): void {
  const { verdict } = ctx;
  if (!answer.ok) {
    excusable(ctx, null, "a claim");
    return;
  }
  if (answer.job === null) {
    nothingThere(ctx, call);
    return;
  }
  const { id, attempt: number, heartbeatInterval } = answer.job;
  verdict.note(id, `attempt ${number} granted to ${call.name} on ${call.machineId}`);
  verdict.require(
    "old workers get no job with managed storage",
    id,
    !(call.old && ctx.book.job(id).managed),
    () => `${call.name} knows nothing of managed storage`,
  );
  const attempt = ctx.book.attempt(id, number);
  const free = attempt !== undefined && (attempt.grantedTo === null || attempt.grantedTo === call.name);
  verdict.require(
    "an attempt has one holder",
    id,
    free,
    () =>
      `attempt ${number} was given to ${attempt?.grantedTo ?? "nobody, D1 does not know it"}, now to ${call.name}`,
  );
  if (!attempt) return;
  const first = attempt.grantedTo === null;
  attempt.grantedTo = call.name;
  verdict.require(
    "an attempt has one holder",
    id,
    attempt.machineId === call.machineId,
    () => `attempt ${number} is recorded for ${attempt.machineId}, and given to ${call.machineId}`,
  );
  const other = call.old ? undefined : ctx.book.grants.get(call.name);
  const otherJob = other && ctx.book.jobs.get(other.jobId);
  verdict.require(
    "a claim id gets one job",
    id,
    !other ||
      other.jobId === id ||
      otherJob?.status !== "running" ||
      otherJob.attempt !== other.attempt ||
      otherJob.disturbed,
    () => `${call.name} has attempt ${other?.attempt} of ${other?.jobId} already`,
  );
  ctx.book.grants.set(call.name, { jobId: id, attempt: number });
  if (call.old) {
    attempt.termMs = (2 * heartbeatInterval + 5) * second;
    attempt.promisedUntilMs = ctx.nowMs() + 2 * heartbeatInterval * second;
    return;
  }
  attempt.termMs = (answer.lease?.seconds ?? 0) * second;
  const row = ctx.row(id);
  if (!first || !row || row.acknowledged_ms !== null || row.extended === 1) return;
  const provisionalMs = Number(row.expires_ms) - ctx.nowMs();
  verdict.require(
    "a grant is provisional",
    id,
    provisionalMs <= 10 * second,
    () => `held for ${provisionalMs / 1000} s before anybody has renewed it`,
  );
}

function nothingThere(ctx: AnswerContext, call: ClaimCall): void {
  const { book, verdict } = ctx;
  const spent = book.spentClaims.has(call.name);
  if (spent) {
    const own = [...book.rows.values()].find((row) => row.claimId === call.name && row.phase === "held");
    const job = own && book.jobs.get(own.jobId);
    const current =
      job !== undefined && !job.gone && job.status === "running" && job.attempt === own?.attempt;
    verdict.require(
      "a repeated claim gets its job",
      own?.jobId ?? null,
      !current,
      () => `${call.name} was told that there is nothing`,
    );
    return;
  }
  // Nor is anything while the group is paused, or was when the claim came.
  if (book.pausedSinceMs !== null || book.resumedMs >= call.startedMs) return;
  // Nor for whom SaladCloud may be about to take away.
  if (ctx.withheld(call.machineId)) return;
  for (const job of book.pending.values()) {
    const hidden =
      job.pendingSinceMs < call.startedMs &&
      job.rowChangedMs < call.startedMs &&
      job.banLiftedMs < call.startedMs &&
      !book.rows.has(job.id) &&
      !(call.old && job.managed) &&
      (job.bans.get(call.machineId) ?? 0) <= ctx.nowMs() &&
      !ctx.coolingDown(job.id, call.machineId);
    verdict.require(
      "no job is hidden",
      job.id,
      !hidden,
      () =>
        `${call.name} on ${call.machineId} asked ${ctx.nowMs() - call.startedMs} ms ago and was told that there is nothing; this job waits since ${ctx.nowMs() - job.pendingSinceMs} ms`,
    );
  }
}
