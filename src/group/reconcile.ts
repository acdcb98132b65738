/**
 * The cron sweep's question to a group: do your rows and D1's running jobs agree? Adopts running jobs without a row,
 * so that they expire if nobody renews them, and drops rows of jobs that have ended (rule 8).
 */
import { type RunningRecord, readRunningOf } from "../db/leases/flush.ts";
import { oldWorkerTermMs } from "../domain/lease.ts";
import type { GroupContext } from "./context.ts";
import { dropEnded } from "./flush.ts";
import type { Mended, RunningJob } from "./protocol.ts";

/** Younger rows may be of jobs that the sweep's page was read too early to know. */
const settledAgeMs = 60_000;

export async function reconcile(ctx: GroupContext, running: RunningJob[]): Promise<Mended> {
  const listed = new Set(running.map((job) => job.id));
  const bornBeforeMs = ctx.ports.nowMs() - settledAgeMs;
  const unlisted = ctx.rows.held().filter((row) => !listed.has(row.jobId) && row.grantedMs <= bornBeforeMs);
  const dropped = await dropEnded(ctx, unlisted);
  const orphans = running.filter((job) => !ctx.rows.has(job.id)).map((job) => job.id);
  return { dropped, adopted: orphans.length === 0 ? [] : await adopt(ctx, orphans) };
}

async function adopt(ctx: GroupContext, jobIds: string[]): Promise<string[]> {
  // The list is as old as the sweep's page: D1 is asked anew, and a job that a row has appeared for is left alone. One
  // that ran and ended within this very read is adopted wrongly; its expiry then hits nothing and the row goes.
  const [records] = await ctx.ports.d1.batch([readRunningOf(jobIds)]);
  const adopted: string[] = [];
  for (const record of (records ?? []) as unknown as RunningRecord[]) {
    if (ctx.rows.has(record.id)) continue;
    const nowMs = ctx.ports.nowMs();
    // Nobody knows what was promised to its holder: the longest term that can have been.
    const termMs = oldWorkerTermMs(Math.max(record.heartbeat_interval, 10));
    ctx.rows.insert({
      jobId: record.id,
      attempt: record.attempt,
      phase: "held",
      opId: ctx.ports.operationId(),
      ending: null,
      claimId: null,
      machineId: record.machine_id,
      instanceId: null,
      token: null,
      intervalMs: record.heartbeat_interval * 1000,
      termMs,
      baseHeartbeats: record.num_heartbeats,
      beats: 0,
      grantedMs: nowMs,
      expiresMs: nowMs + termMs,
      acknowledgedMs: record.acknowledged,
      renewedMs: null,
      flushedMs: nowMs,
      commandStartedMs: null,
      progress: 0,
      extended: false,
      webhook: record.has_webhook === 1,
      uploading: false,
    });
    ctx.armAlarm(nowMs + termMs);
    adopted.push(record.id);
    ctx.ports.log({
      severity: "warning",
      event: "lease_adopted",
      jobId: record.id,
      attempt: record.attempt,
      detail: "running in D1 without a row",
    });
  }
  return adopted;
}
