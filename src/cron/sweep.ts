/**
 * The safety net under the groups' alarms: once a minute, every group with running jobs is asked whether its rows
 * and D1 agree. It mends what a crash or a lost write left, and says what it mended.
 */
import { readRunning, type SweepCursor, type SweepRecord, sweepStart } from "../db/leases/sweep.ts";
import { groupAt } from "../group/address.ts";
import type { GroupKey, RunningJob } from "../group/protocol.ts";

const pageSize = 1_000;
/** 100,000 running jobs in one pass; beyond that a pass ends where it is, and says so. */
const maxPages = 100;
/** Objects asked at once. */
const concurrentGroups = 16;

export interface SweepReport {
  running: number;
  groups: number;
  adopted: number;
  dropped: number;
  /** Groups that could not be asked; the next pass asks again. */
  failed: number;
  complete: boolean;
}

export async function sweep(env: Env): Promise<SweepReport> {
  const report: SweepReport = { running: 0, groups: 0, adopted: 0, dropped: 0, failed: 0, complete: false };
  let cursor: SweepCursor = sweepStart;
  let open: { key: GroupKey; running: RunningJob[] } | null = null;
  for (let page = 0; page < maxPages; page++) {
    const { sql, params } = readRunning(cursor, pageSize);
    const { results } = await env.DB.prepare(sql)
      .bind(...params)
      .all<SweepRecord & Record<string, unknown>>();
    report.running += results.length;
    // A group that goes on over the page's end is asked once all of it is known.
    const groups: { key: GroupKey; running: RunningJob[] }[] = open ? [open] : [];
    for (const record of results) {
      const key = { userId: record.user_id, containerGroupId: record.container_group_id };
      let last = groups.at(-1);
      if (last?.key.userId !== key.userId || last.key.containerGroupId !== key.containerGroupId) {
        last = { key, running: [] };
        groups.push(last);
      }
      last.running.push({
        id: record.id,
        attempt: record.attempt,
        machineId: record.machine_id,
        heartbeatIntervalSeconds: record.heartbeat_interval,
      });
    }
    const tail = results.at(-1);
    const done = results.length < pageSize || tail === undefined;
    open = done ? null : (groups.pop() ?? null);
    await askAll(env, groups, report);
    if (done) {
      report.complete = true;
      break;
    }
    cursor = {
      userId: tail.user_id,
      containerGroupId: tail.container_group_id,
      created: tail.created,
      seq: tail.seq,
    };
  }
  const mended = report.adopted + report.dropped;
  if (mended > 0 || report.failed > 0 || !report.complete) {
    console.log(JSON.stringify({ severity: "warning", event: "sweep_mended", ...report }));
  }
  return report;
}

async function askAll(
  env: Env,
  groups: { key: GroupKey; running: RunningJob[] }[],
  report: SweepReport,
): Promise<void> {
  report.groups += groups.length;
  for (let at = 0; at < groups.length; at += concurrentGroups) {
    const asked = groups
      .slice(at, at + concurrentGroups)
      .map(({ key, running }) => groupAt(env.GROUPS, key).reconcile(key, running));
    for (const outcome of await Promise.allSettled(asked)) {
      if (outcome.status === "fulfilled") {
        report.adopted += outcome.value.adopted.length;
        report.dropped += outcome.value.dropped.length;
      } else {
        // One bad group does not hold up the others.
        report.failed++;
        console.error(
          JSON.stringify({ severity: "error", event: "sweep_failed", detail: String(outcome.reason) }),
        );
      }
    }
  }
}
