/** Cancel, of one job or of a purged queue. Only D1's word cancels: the row waits as `ending` until it has spoken. */
import { type EndWrite, readStanding, type Standing } from "../db/leases/end.ts";
import { purgePending, readRunningOfGroup } from "../db/leases/purge.ts";
import { type GroupContext, openRetryMs } from "./context.ts";
import { barringRow, endWithoutLease, endWriteOf } from "./end-write.ts";
import { refusalOf } from "./intents.ts";
import type { CancelAnswer, GroupKey, PurgeAnswer } from "./protocol.ts";

/** Rounds in which other operations on the job, or its next attempt, may get in between. */
const maxRounds = 4;

const unavailable: CancelAnswer = { ok: false, reason: "unavailable" };

export async function cancel(ctx: GroupContext, key: GroupKey, jobId: string): Promise<CancelAnswer> {
  for (let round = 0; round < maxRounds; round++) {
    if (!(await ctx.intents.settled(jobId))) return unavailable;
    const begun = beginCanceling(ctx, jobId) ?? (await cancelWithoutLease(ctx, key, jobId));
    if (begun === "overtaken") continue;
    if ("ok" in begun) return begun;
    const [outcome] = await ctx.intents.end([begun]);
    if (!outcome || outcome.kind === "unknown") return unavailable;
    if (outcome.kind === "applied") return { ok: true };
    // Superseded: the attempt that was to be canceled has ended meanwhile, but the job has not.
    if (outcome.reason !== "superseded") return { ok: false, reason: outcome.reason };
  }
  return unavailable;
}

/** A held row's intent to cancel. */
function beginCanceling(ctx: GroupContext, jobId: string): EndWrite | null {
  const row = ctx.rows.get(jobId);
  if (row?.phase !== "held") return null;
  const nowMs = ctx.ports.nowMs();
  const write = endWriteOf(row, "canceled", ctx.ports.operationId(), nowMs);
  ctx.rows.beginEnding(write);
  ctx.armAlarm(nowMs + openRetryMs);
  return write;
}

async function cancelWithoutLease(
  ctx: GroupContext,
  key: GroupKey,
  jobId: string,
): Promise<EndWrite | CancelAnswer | "overtaken"> {
  let standing: Standing | undefined;
  try {
    const [records] = await ctx.ports.d1.batch([readStanding(jobId, null, null)]);
    standing = records?.[0] as Standing | undefined;
  } catch {
    // Nothing was written: whoever cancels repeats.
    return unavailable;
  }
  if (!standing || standing.user_id !== key.userId || standing.container_group_id !== key.containerGroupId) {
    return { ok: false, reason: "unknown_job" };
  }
  if (ctx.rows.has(jobId)) return "overtaken";
  if (standing.status !== "pending" && standing.status !== "running") {
    return { ok: false, reason: refusalOf(standing) };
  }
  const nowMs = ctx.ports.nowMs();
  const job = { jobId, attempt: standing.attempt, machineId: null, webhook: standing.has_webhook === 1 };
  const write = endWithoutLease(job, "canceled", ctx.ports.operationId(), nowMs);
  ctx.rows.insert(barringRow(write));
  ctx.armAlarm(nowMs + openRetryMs);
  return write;
}

/** Jobs that one D1 transaction removes. */
const purgeBite = 1_000;
/** Leases that one D1 batch cancels: two statements each. */
const cancelBite = 50;
/** Bites before the caller is told to repeat: 200,000 jobs. */
const maxBites = 200;

/** Removes the pending jobs and cancels the running ones that exist now (rule 11). */
export async function purge(ctx: GroupContext, key: GroupKey): Promise<PurgeAnswer> {
  const untilMs = ctx.ports.nowMs();
  let count = 0;
  try {
    for (let bite = 0; bite < maxBites; bite++) {
      ctx.head.invalidate();
      // One transaction sees both: a job that goes from running to pending in between would be in neither.
      const results = await ctx.ports.d1.batch([
        ...purgePending(key.userId, key.containerGroupId, untilMs, purgeBite),
        readRunningOfGroup(key.userId, key.containerGroupId, untilMs, cancelBite),
      ]);
      const [removed, running] = results.slice(-2);
      const jobIds = (running ?? []).map((record) => record.id as string);
      const canceled = await cancelAll(ctx, key, jobIds);
      if (canceled === null) return { ok: false, reason: "unavailable" };
      count += (removed?.length ?? 0) + canceled;
      if ((removed?.length ?? 0) === 0 && jobIds.length === 0) return { ok: true, count };
    }
  } catch (error) {
    ctx.ports.log({ severity: "warning", event: "end_unknown", detail: `purge: ${error}` });
  }
  // What is done is done; a repeat goes on from there.
  return { ok: false, reason: "unavailable" };
}

/** Cancels jobs that run; null when D1's answer stayed unknown for one. */
async function cancelAll(ctx: GroupContext, key: GroupKey, jobIds: string[]): Promise<number | null> {
  const writes: EndWrite[] = [];
  let canceled = 0;
  for (const jobId of jobIds) {
    const write = beginCanceling(ctx, jobId);
    if (write) {
      writes.push(write);
      continue;
    }
    // No row, or an operation under way: the slow way, one by one.
    const answer = await cancel(ctx, key, jobId);
    if (answer.ok) canceled++;
    else if (answer.reason === "unavailable") return null;
  }
  const outcomes = writes.length > 0 ? await ctx.intents.end(writes) : [];
  if (outcomes.some((outcome) => outcome.kind === "unknown")) return null;
  return canceled + outcomes.filter((outcome) => outcome.kind === "applied").length;
}
