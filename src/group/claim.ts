/**
 * Acquire. Intent first (`claiming`), then D1's fenced update, then `held`. Idempotent by claim id (rule 4): a
 * repeat joins the claim under way, or gets the attempt that the first one got.
 */

import { jobFromRecord } from "../db/job-record.ts";
import { readJob } from "../db/leases/claim.ts";
import { type GroupContext, openRetryMs } from "./context.ts";
import type { LeaseRow } from "./lease-row.ts";
import { liftBan } from "./lift-ban.ts";
import type { ClaimAnswer, ClaimRequest, GroupKey } from "./protocol.ts";

/** Candidates that D1 refused, before the claimer is told to come again: the page was stale throughout. */
const maxCandidates = 32;

const unavailable: ClaimAnswer = { ok: false, reason: "unavailable" };

export async function claim(ctx: GroupContext, key: GroupKey, request: ClaimRequest): Promise<ClaimAnswer> {
  const repeated = request.claimId === undefined ? undefined : ctx.rows.byClaim(request.claimId);
  if (repeated) return repeatClaim(ctx, repeated, request);

  const poll = ctx.polls.note(request, ctx.ports.nowMs());
  ctx.machines.seen(request.machineId, ctx.ports.nowMs());
  if (isHeld(ctx, request)) {
    poll.foundNothing = true;
    return { ok: true, job: null };
  }
  let lifted = false;
  for (let tried = 0; tried < maxCandidates; tried++) {
    const candidate = await ctx.head.take(
      key,
      { id: request.machineId, knowsManaged: request.claimId !== undefined },
      ({ id }) => !ctx.rows.has(id) && !ctx.rows.coolingDown(id, request.machineId, ctx.ports.nowMs()),
    );
    if (!candidate) {
      if (!lifted && (await liftBan(ctx, request.machineId))) {
        lifted = true;
        continue;
      }
      poll.foundNothing = true;
      return { ok: true, job: null };
    }
    // Taken by another claimer past the page, or being canceled: since the choice, others had their turn.
    if (ctx.rows.has(candidate.id)) continue;
    // Another machine came with the same claim id meanwhile: it is spent.
    if (request.claimId !== undefined && ctx.rows.byClaim(request.claimId)) return { ok: true, job: null };

    // Held since the choice: no row comes to be after a hold has been answered. The job is the next one's.
    if (isHeld(ctx, request)) {
      ctx.head.invalidate();
      poll.foundNothing = true;
      return { ok: true, job: null };
    }

    const nowMs = ctx.ports.nowMs();
    const row: LeaseRow = {
      jobId: candidate.id,
      attempt: Math.max(candidate.attempt, ctx.rows.attemptFloor(candidate.id)) + 1,
      phase: "claiming",
      opId: ctx.ports.operationId(),
      ending: null,
      claimId: request.claimId ?? null,
      machineId: request.machineId,
      instanceId: request.instanceId ?? null,
      token: request.claimId === undefined ? null : ctx.ports.leaseToken(),
      intervalMs: 0,
      termMs: 0,
      baseHeartbeats: 0,
      beats: 0,
      grantedMs: nowMs,
      expiresMs: nowMs,
      acknowledgedMs: null,
      renewedMs: null,
      flushedMs: nowMs,
      commandStartedMs: null,
      progress: 0,
      extended: false,
      webhook: candidate.webhook,
      uploading: false,
    };
    ctx.rows.insert(row);
    ctx.armAlarm(nowMs + openRetryMs);
    const outcome = await ctx.intents.claim(row, nowMs, request.node ?? null);
    switch (outcome.kind) {
      case "granted": {
        const held = ctx.rows.get(row.jobId);
        // Canceled between D1's answer and this step: there is nothing to hand out any more.
        if (held?.phase !== "held" || held.opId !== row.opId) return { ok: true, job: null };
        ctx.armAlarm(held.expiresMs);
        return {
          ok: true,
          job: outcome.job,
          lease: row.token === null ? null : { token: row.token, seconds: held.termMs / 1000 },
        };
      }
      case "refused":
        continue;
      case "paused":
        // The rest of the page would be refused as well, one by one.
        ctx.head.invalidate();
        poll.foundNothing = true;
        return { ok: true, job: null };
      case "unknown":
        return unavailable;
    }
  }
  return unavailable;
}

/** Whether the machine may be about to lose its instance (grant-hold.ts). */
export function isHeld(
  { hold, rows, ports }: GroupContext,
  agent: { machineId: string; instanceId?: string | null },
): boolean {
  return hold.refuses(agent, () => rows.isBusy(agent), ports.nowMs());
}

async function repeatClaim(ctx: GroupContext, row: LeaseRow, request: ClaimRequest): Promise<ClaimAnswer> {
  if (row.machineId !== request.machineId) return { ok: true, job: null };
  if (!(await ctx.intents.settled(row.jobId))) return unavailable;
  const held = ctx.rows.byClaim(row.claimId ?? "");
  // Ended, or never granted: this claim id is spent.
  if (held?.phase !== "held" || held.token === null) return { ok: true, job: null };
  try {
    const [records] = await ctx.ports.d1.batch([readJob(held.jobId)]);
    const job = records?.[0] ? jobFromRecord(records[0]) : null;
    if (job?.status !== "running" || job.attempt !== held.attempt) return { ok: true, job: null };
    return { ok: true, job, lease: { token: held.token, seconds: held.termMs / 1000 } };
  } catch {
    // Nothing was written; the agent repeats the claim.
    return unavailable;
  }
}
