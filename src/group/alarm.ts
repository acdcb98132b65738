/**
 * The alarm: resolves intents that an earlier life or a failing D1 left open, ends leases that lapsed, tells D1 the
 * live values. It recomputes everything from rows, so a lost or doubled alarm changes nothing (rule 7).
 */
import type { EndWrite } from "../db/leases/end.ts";
import { flushEveryMs, massExpiry, promisedUntilMs } from "../domain/lease.ts";
import { type GroupContext, openRetryMs } from "./context.ts";
import { endWriteOf } from "./end-write.ts";
import { flush } from "./flush.ts";
import type { LeaseRow } from "./lease-row.ts";

/** Leases that one D1 batch ends: two statements each. */
const expireBite = 50;

/** When the alarm should ring next; null: nothing to wait for. */
export function nextAlarmMs(ctx: GroupContext): number | null {
  return ctx.rows.nextDueMs(ctx.ports.nowMs(), flushEveryMs, openRetryMs);
}

/** The engine has set the next alarm already and catches what is thrown. */
export async function onAlarm(ctx: GroupContext): Promise<void> {
  const nowMs = ctx.ports.nowMs();
  // Retry delays that have passed: the jobs wait in D1, and somebody may be waiting for them.
  const available = ctx.rows.takeWakes(nowMs);
  if (available > 0) {
    ctx.head.invalidate();
    ctx.ports.agents?.wake(available);
  }
  for (const { jobId } of ctx.rows.open()) {
    // Read again: those before this one awaited D1.
    const row = ctx.rows.get(jobId);
    if (row && row.phase !== "held" && !ctx.intents.isUnderWay(jobId)) await ctx.intents.resolve(row);
  }
  await expireLapsed(ctx);
  await flush(ctx);
}

async function expireLapsed(ctx: GroupContext): Promise<void> {
  const nowMs = ctx.ports.nowMs();
  let lapsed = ctx.rows.lapsed(nowMs);
  if (lapsed.length === 0) return;
  // How late we are is told by the rows: an alarm may have been set anew meanwhile, for another reason. Rather too late than too
  // early, when an eviction has left that open.
  const lateMs = nowMs - Math.min(...lapsed.map(promisedUntilMs));
  if (massExpiry(lapsed.length, ctx.rows.countHeld(), lateMs)) {
    const doubted = lapsed.filter((row) => !row.extended);
    for (const row of doubted) ctx.rows.extend(row, nowMs + row.termMs);
    if (doubted.length > 0) {
      ctx.ports.log({
        severity: "warning",
        event: "expiry_doubted",
        detail: `${doubted.length} leases extended once; alarm late by ${lateMs} ms`,
      });
    }
    lapsed = lapsed.filter((row) => row.extended);
  }
  for (let at = 0; at < lapsed.length; at += expireBite) {
    await expire(ctx, lapsed.slice(at, at + expireBite));
  }
}

async function expire(ctx: GroupContext, lapsed: LeaseRow[]): Promise<void> {
  const writes: EndWrite[] = [];
  for (const { jobId } of lapsed) {
    // Read again: the bites before this one awaited D1, and a late renewal may have come meanwhile.
    const nowMs = ctx.ports.nowMs();
    const row = ctx.rows.get(jobId);
    if (row?.phase !== "held" || row.expiresMs > nowMs) continue;
    const reason = `no renewal for ${Math.round((nowMs - (row.renewedMs ?? row.grantedMs)) / 1000)} s`;
    const write = endWriteOf(row, "interrupted", ctx.ports.operationId(), nowMs, { reason });
    if (!ctx.rows.beginEnding(write)) continue;
    // An old worker does not know its attempt: give it time to notice before the same machine may have the job again.
    if (row.token === null && row.machineId !== null) {
      ctx.rows.coolDown(jobId, row.machineId, nowMs + row.termMs, nowMs);
    }
    writes.push(write);
  }
  if (writes.length === 0) return;
  await ctx.intents.end(writes);
}
