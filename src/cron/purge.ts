/** What has been kept long enough goes, once a minute, in bounded steps: ended jobs (docs/operations.md), keys of submissions, the autoscaler's history. */
import type { D1Port } from "../db/d1-port.ts";
import { forgetKeys, keyKeptMs } from "../db/jobs/idempotency.ts";
import { type EndedRecord, purgeEnded, readEnded } from "../db/jobs/retention.ts";
import { d1Port } from "../db/prepare.ts";
import { purgeEvents } from "../db/scaling/events.ts";
import { type Bindings, configOf } from "../env.ts";

const jobsPerStep = 200;
/** Rows that go with the jobs of a step: some 100 ms of D1's single thread, which claims wait for. */
const relatedPerStep = 5_000;
/** 4,000 jobs a minute; what is left waits for the next. */
const maxSteps = 20;
const keysPerStep = 1_000;
const scalingEventsPerStep = 1_000;

export interface PurgeReport {
  jobs: number;
  keys: number;
  /** Of the autoscaler's history. */
  scalingEvents: number;
}

/** Rejects when D1 cannot be asked; what was removed before stays removed. */
export async function purge(env: Bindings): Promise<PurgeReport> {
  const d1 = d1Port(env.DB);
  const nowMs = Date.now();
  const { retentionMs } = configOf(env);
  const report: PurgeReport = { jobs: 0, keys: 0, scalingEvents: 0 };
  try {
    if (retentionMs !== null) {
      await purgeJobs(d1, nowMs - retentionMs, nowMs, report);
      await purgeScalingEvents(d1, nowMs - retentionMs, report);
    }
    await purgeKeys(d1, nowMs - keyKeptMs, report);
  } finally {
    if (report.jobs + report.keys + report.scalingEvents > 0) {
      console.info(JSON.stringify({ severity: "info", event: "retention_purged", ...report }));
    }
  }
  return report;
}

async function purgeJobs(
  d1: D1Port,
  endedUntilMs: number,
  nowMs: number,
  report: PurgeReport,
): Promise<void> {
  for (let step = 0; step < maxSteps; step++) {
    const [page] = await d1.batch([readEnded(endedUntilMs, jobsPerStep)]);
    const records = (page ?? []) as unknown as EndedRecord[];
    if (records.length === 0) return;
    const jobIds = stepOf(records);
    const results = await d1.batch(purgeEnded(jobIds, endedUntilMs, nowMs));
    report.jobs += results.at(-1)?.length ?? 0;
    if (jobIds.length === records.length && records.length < jobsPerStep) return;
  }
}

/** As many of the jobs, in order, as bring no more rows than a step may remove; one at least. */
export function stepOf(records: EndedRecord[]): string[] {
  let related = 0;
  const end = records.findIndex((record, at) => {
    related += record.related;
    return at > 0 && related > relatedPerStep;
  });
  return records.slice(0, end === -1 ? records.length : end).map(({ id }) => id);
}

async function purgeKeys(d1: D1Port, createdUntilMs: number, report: PurgeReport): Promise<void> {
  for (let step = 0; step < maxSteps; step++) {
    const [forgotten] = await d1.batch([forgetKeys(createdUntilMs, keysPerStep)]);
    report.keys += forgotten?.length ?? 0;
    if ((forgotten?.length ?? 0) < keysPerStep) return;
  }
}

async function purgeScalingEvents(d1: D1Port, untilMs: number, report: PurgeReport): Promise<void> {
  for (let step = 0; step < maxSteps; step++) {
    const [purged] = await d1.batch([purgeEvents(untilMs, scalingEventsPerStep)]);
    report.scalingEvents += purged?.length ?? 0;
    if ((purged?.length ?? 0) < scalingEventsPerStep) return;
  }
}
