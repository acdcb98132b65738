/**
 * Reports of an attempt's end: completed, failed, released, stalled, timed out. At most one attempt settles a job: the holder's intent
 * bars renewals and grants, D1's fence lets one end through, and whoever comes later is told what stands.
 */
import type { RefusalReason } from "../contract/index.ts";
import type { EndWrite } from "../db/leases/end.ts";
import { readStanding, type Standing } from "../db/leases/end.ts";
import { bansMachine } from "../domain/ends.ts";
import { holds } from "../domain/lease.ts";
import { type GroupContext, openRetryMs } from "./context.ts";
import { barringRow, endWithoutLease, endWriteOf } from "./end-write.ts";
import { refusalOf } from "./intents.ts";
import type { GroupKey, HolderClaim, SettleAnswer, SettleFacts, SettleKind } from "./protocol.ts";
import { reallocationOf } from "./reallocate.ts";

const unavailable: SettleAnswer = { ok: false, reason: "unavailable" };
const refused = (reason: RefusalReason): SettleAnswer => ({ ok: false, reason });

export interface SettleRequest {
  jobId: string;
  kind: SettleKind;
  holder: HolderClaim;
  facts: SettleFacts;
}

/** Rounds of waiting for others' operations on the same job, before the reporter is told to come again. */
const maxRounds = 4;

export async function settle(
  ctx: GroupContext,
  key: GroupKey,
  request: SettleRequest,
): Promise<SettleAnswer> {
  for (let round = 0; round < maxRounds; round++) {
    const answer = await trySettle(ctx, key, request);
    if (answer !== "overtaken") return withReallocation(ctx, request, answer);
  }
  return unavailable;
}

/** What the machine is told beside that its report is recorded. */
async function withReallocation(
  ctx: GroupContext,
  { jobId, kind, holder }: SettleRequest,
  answer: SettleAnswer,
): Promise<SettleAnswer> {
  if (!answer.ok || !bansMachine(kind)) return answer;
  const reallocate = await reallocationOf(ctx, holder.machineId, jobId);
  return reallocate === null ? answer : { ...answer, reallocate };
}

/** `overtaken`: while this one waited, another operation began on the job. */
async function trySettle(
  ctx: GroupContext,
  key: GroupKey,
  request: SettleRequest,
): Promise<SettleAnswer | "overtaken"> {
  if (!(await ctx.intents.settled(request.jobId))) return unavailable;
  const row = ctx.rows.get(request.jobId);
  if (row && row.phase !== "held") return "overtaken";
  if (row?.phase === "held" && holds(row, request.holder)) {
    const write = endWriteOf(row, request.kind, ctx.ports.operationId(), ctx.ports.nowMs(), request.facts);
    ctx.rows.beginEnding(write);
    return finish(ctx, write);
  }
  return settleWithoutLease(ctx, key, request);
}

/** The caller holds no lease here: a repeat, a report for a job never claimed, a lost row, or a zombie. */
async function settleWithoutLease(
  ctx: GroupContext,
  key: GroupKey,
  request: SettleRequest,
): Promise<SettleAnswer | "overtaken"> {
  const { jobId, kind, holder } = request;
  let standing: Standing | undefined;
  try {
    const [records] = await ctx.ports.d1.batch([
      readStanding(jobId, holder.machineId, holder.attempt ?? null),
    ]);
    standing = records?.[0] as Standing | undefined;
  } catch {
    // Nothing is known, nothing was written: the reporter repeats.
    return unavailable;
  }
  if (!standing || standing.user_id !== key.userId || standing.container_group_id !== key.containerGroupId) {
    return refused("unknown_job");
  }
  if (isRepeat(standing, kind, holder)) return { ok: true, repeat: true };
  const held = ctx.rows.get(jobId);
  if (held?.phase === "held") {
    // Adopted by this very holder's renewal while D1 was read: then it has a lease after all.
    if (holds(held, holder)) return "overtaken";
    return refused(holder.attempt === undefined ? "not_holder" : refusalOf(standing));
  }
  if (ctx.rows.has(jobId)) return "overtaken";

  const unclaimed = standing.attempt === 0 && standing.status === "pending";
  if (unclaimed ? isKelpies(kind) && holder.attempt === undefined : isCurrent(standing, holder)) {
    const { attempt } = standing;
    const job = { jobId, attempt, machineId: holder.machineId, webhook: standing.has_webhook === 1 };
    const write = endWithoutLease(job, kind, ctx.ports.operationId(), ctx.ports.nowMs(), request.facts);
    ctx.rows.insert(barringRow(write));
    return finish(ctx, write);
  }
  if (standing.its_number === null && (standing.status === "running" || standing.status === "pending")) {
    return refused("not_holder");
  }
  return refused(refusalOf(standing));
}

/** Whether this very end of this machine's attempt stands already: its first report got through, its answer did not. */
function isRepeat(standing: Standing, kind: SettleKind, holder: HolderClaim): boolean {
  if (standing.its_end === kind && standing.its_machine_id === holder.machineId) return true;
  if (standing.attempt !== 0 || holder.attempt !== undefined) return false;
  // Never claimed: no attempt tells. The ban that this machine's failure left does, or the job's own end.
  if (kind === "failed" && standing.banned === 1) return true;
  return standing.status === kind && standing.machine_id === holder.machineId;
}

/** What clients of Kelpie report, who alone speak of jobs that nobody has claimed. */
const isKelpies = (kind: SettleKind) => kind === "completed" || kind === "failed";

function isCurrent(standing: Standing, holder: HolderClaim): boolean {
  return (
    standing.status === "running" &&
    standing.attempt === (holder.attempt ?? standing.attempt) &&
    standing.machine_id === holder.machineId
  );
}

async function finish(ctx: GroupContext, write: EndWrite): Promise<SettleAnswer> {
  ctx.armAlarm(write.nowMs + openRetryMs);
  const [outcome] = await ctx.intents.end([write]);
  if (!outcome || outcome.kind === "unknown") return unavailable;
  if (outcome.kind === "refused") return refused(outcome.reason);
  return { ok: true, repeat: outcome.repeat };
}
