/**
 * Live values to D1, for all leases of the group in one statement pair, once a minute. It is also how the object
 * notices that D1 has ended a job behind its back (an admin's clear): such rows are dropped.
 */
import { flushLeases, type RunningRecord, readRunningOf } from "../db/leases/flush.ts";
import { flushEveryMs, heldIntervals } from "../domain/lease.ts";
import type { GroupContext } from "./context.ts";
import type { LeaseRow } from "./lease-row.ts";

/** Leases of one statement: 500 × 1.5 KB, with what commands tell of their progress, stay below D1's 2 MB. */
const flushBite = 500;

export async function flush(ctx: GroupContext): Promise<void> {
  const nowMs = ctx.ports.nowMs();
  const due = ctx.rows.unflushed(nowMs - flushEveryMs);
  for (let at = 0; at < due.length; at += flushBite) {
    const bite = due.slice(at, at + flushBite);
    const [known] = await ctx.ports.d1.batch(
      flushLeases(
        bite.map((row) => ({
          jobId: row.jobId,
          attempt: row.attempt,
          heartbeatMs: row.renewedMs ?? row.grantedMs,
          numHeartbeats: row.baseHeartbeats + heldIntervals(row),
          acknowledgedMs: row.acknowledgedMs,
          commandStartedMs: row.commandStartedMs,
          progress: row.hints?.progress ?? null,
        })),
      ),
    );
    const agreed = new Set((known ?? []).map((record) => record.id));
    for (const row of bite) {
      if (agreed.has(row.jobId)) ctx.rows.flushed(row.jobId, row.attempt, nowMs);
    }
    await dropEnded(
      ctx,
      bite.filter((row) => !agreed.has(row.jobId)),
    );
  }
  ctx.rows.flushedIdle(nowMs, nowMs - flushEveryMs);
}

/** Drops the rows of leases that D1 does not know as running in this attempt. Returns the dropped job ids. */
export async function dropEnded(ctx: GroupContext, suspects: LeaseRow[]): Promise<string[]> {
  if (suspects.length === 0) return [];
  const [records] = await ctx.ports.d1.batch([readRunningOf(suspects.map((row) => row.jobId))]);
  const running = new Map(
    ((records ?? []) as unknown as RunningRecord[]).map((record) => [record.id, record.attempt]),
  );
  const dropped: string[] = [];
  for (const row of suspects) {
    if (running.get(row.jobId) === row.attempt) continue;
    // A row that moved on while D1 was read is not ours to drop.
    const now = ctx.rows.get(row.jobId);
    if (now?.phase !== "held" || now.attempt !== row.attempt || now.opId !== row.opId) continue;
    if (!ctx.rows.remove(row.jobId, row.opId)) continue;
    dropped.push(row.jobId);
    const { jobId, attempt, machineId } = row;
    if (machineId !== null) ctx.ports.agents?.ended({ jobId, attempt, machineId });
    ctx.ports.log({
      severity: "warning",
      event: "lease_dropped",
      jobId: row.jobId,
      attempt: row.attempt,
      detail: "D1 does not know it as running",
    });
  }
  return dropped;
}
