/**
 * Renewal. The whole of it is synchronous as long as the row is there: an expiry no earlier than the promised one is stored
 * before the answer, and no other operation comes between. Only a lease without a row asks D1 (rule 8).
 */
import type { SqlRecord } from "../db/job-record.ts";
import { readStanding, type Standing } from "../db/leases/end.ts";
import { holds, leaseTermSeconds, oldWorkerTermMs } from "../domain/lease.ts";
import type { GroupContext } from "./context.ts";
import { refusalOf } from "./intents.ts";
import type { GroupKey, HolderClaim, RenewAnswer, Renewal } from "./protocol.ts";

export async function renew(
  ctx: GroupContext,
  key: GroupKey,
  machineId: string,
  renewals: Renewal[],
): Promise<RenewAnswer[]> {
  const answers = renewals.map((renewal) => renewHeld(ctx, { ...renewal, machineId }));
  for (const [i, answer] of answers.entries()) {
    const renewal = renewals[i];
    if (answer === null && renewal) answers[i] = await askD1(ctx, key, { ...renewal, machineId });
  }
  return answers.map((answer) => answer ?? { status: "unavailable" });
}

type Caller = Renewal & HolderClaim;

/** The answer as far as the row gives one; null when D1 has to be asked. */
function renewHeld(ctx: GroupContext, caller: Caller): RenewAnswer | null {
  const row = ctx.rows.get(caller.jobId);
  if (row?.phase !== "held") return null;
  if (!holds(row, caller)) {
    const newer = caller.attempt !== undefined && caller.attempt !== row.attempt;
    return { status: "canceled", reason: newer ? "superseded" : "not_holder" };
  }
  ctx.rows.renew(row, ctx.ports.nowMs(), {
    commandStarted: caller.commandStarted ?? false,
    progress: caller.progress ?? 0,
    progressReport: caller.progressReport ?? null,
    uploading: caller.uploading ?? null,
  });
  return { status: "running", leaseSeconds: row.termMs / 1000 };
}

/** No row, or one whose operation is under way: let that end, then ask D1, whose word alone cancels. */
async function askD1(ctx: GroupContext, key: GroupKey, caller: Caller): Promise<RenewAnswer> {
  if (!(await ctx.intents.settled(caller.jobId))) return { status: "unavailable" };
  const held = renewHeld(ctx, caller);
  if (held) return held;
  let records: SqlRecord[] | undefined;
  try {
    [records] = await ctx.ports.d1.batch([
      readStanding(caller.jobId, caller.machineId, caller.attempt ?? null),
    ]);
  } catch {
    // Nothing is known, nothing was written: the caller asks again and trusts its lease until it lapses.
    return { status: "unavailable" };
  }
  const standing = records?.[0] as Standing | undefined;
  if (!standing || standing.user_id !== key.userId || standing.container_group_id !== key.containerGroupId) {
    return { status: "unknown" };
  }
  if (ctx.rows.has(caller.jobId)) {
    return renewHeld(ctx, caller) ?? { status: "unavailable" };
  }
  if (standing.status === "pending" && standing.attempt === 0) return { status: "pending" };
  const attempt = caller.attempt ?? standing.attempt;
  const current =
    standing.status === "running" && standing.attempt === attempt && standing.machine_id === caller.machineId;
  if (!current) return { status: "canceled", reason: refusalOf(standing) };
  return adoptHolder(ctx, caller, standing);
}

/** D1 says that this caller's attempt is running and current, yet its row is lost: the lease goes on here and now. */
function adoptHolder(ctx: GroupContext, caller: Caller, standing: Standing): RenewAnswer {
  const nowMs = ctx.ports.nowMs();
  const token = caller.leaseToken ?? null;
  const termMs =
    token === null
      ? oldWorkerTermMs(standing.heartbeat_interval)
      : leaseTermSeconds(standing.heartbeat_interval) * 1000;
  ctx.rows.insert({
    jobId: caller.jobId,
    attempt: standing.attempt,
    phase: "held",
    opId: ctx.ports.operationId(),
    ending: null,
    claimId: null,
    machineId: caller.machineId,
    instanceId: null,
    token,
    intervalMs: standing.heartbeat_interval * 1000,
    termMs,
    baseHeartbeats: standing.num_heartbeats,
    beats: 0,
    grantedMs: nowMs,
    expiresMs: nowMs + termMs,
    acknowledgedMs: standing.its_acknowledged ?? nowMs,
    renewedMs: nowMs,
    flushedMs: nowMs,
    commandStartedMs: null,
    progress: 0,
    extended: false,
    webhook: standing.has_webhook === 1,
    uploading: false,
  });
  ctx.armAlarm(nowMs + termMs);
  ctx.ports.log({
    severity: "warning",
    event: "lease_adopted",
    jobId: caller.jobId,
    attempt: standing.attempt,
    detail: "renewed without a row",
  });
  return { status: "running", leaseSeconds: termMs / 1000 };
}
