/** What may become of D1's attempts and bans: one at a time, one end each, and who may end it. */
import type { AttemptBook, JobBook } from "./book.ts";
import { banMs, type D1Context } from "./d1-rules.ts";

/** lateAlarmMs of domain/lease.ts, and a little. */
const doubtedMs = 6_000;

export function attemptAdded(ctx: D1Context, jobId: string, number: number, machineId: string | null): void {
  const { book, verdict } = ctx;
  const job = book.job(jobId);
  const before = [...job.attempts.values()];
  verdict.require(
    "attempts rise",
    jobId,
    before.every((attempt) => attempt.number < number),
    () => `attempt ${number} was added after ${Math.max(...before.map((attempt) => attempt.number))}`,
  );
  const open = before.find((attempt) => attempt.end === null);
  verdict.require(
    "one attempt at a time",
    jobId,
    open === undefined,
    () => `attempt ${number} begins while attempt ${open?.number} has not ended`,
  );
  const machine = machineId ?? "";
  const bannedUntilMs = job.bans.get(machine) ?? 0;
  verdict.require(
    "bans hold",
    jobId,
    bannedUntilMs <= ctx.nowMs(),
    () => `attempt ${number} went to ${machine}, which failed it less than a day ago`,
  );
  const lapsed = before.find(
    (attempt) =>
      attempt.old &&
      attempt.machineId === machineId &&
      attempt.end === "interrupted" &&
      (attempt.endedMs ?? 0) > ctx.storageLostMs &&
      (attempt.endedMs ?? 0) + attempt.termMs > ctx.nowMs(),
  );
  verdict.require(
    "old workers cool down",
    jobId,
    lapsed === undefined,
    () => `attempt ${number} went to ${machine}, which let attempt ${lapsed?.number} lapse a moment ago`,
  );
  job.attempts.set(number, {
    number,
    machineId,
    grantedTo: null,
    old: book.oldClaims.has(`${jobId}/${number}`),
    promisedUntilMs: 0,
    renewedMs: null,
    termMs: 0,
    reported: new Set(),
    // Old workers hold from the answer.
    acknowledged: book.oldClaims.has(`${jobId}/${number}`),
    landedLate: book.lateClaims.delete(`${jobId}/${number}`),
    end: null,
    endedMs: null,
    holder: null,
  });
  ctx.touched.add(jobId);
}

/** Such an end bans its machine from the job. */
export const wentBadly = (end: string | null) => end === "failed" || end === "timed_out" || end === "stalled";

export interface AttemptEnd {
  jobId: string;
  number: number;
  wasEnd: string | null;
  end: string | null;
  endedMs: number | null;
  acknowledgedMs: number | null;
}

export function attemptChanged(ctx: D1Context, change: AttemptEnd): void {
  const { book, verdict } = ctx;
  const { jobId, number, end } = change;
  const job = book.job(jobId);
  const attempt = job.attempts.get(number);
  if (!attempt) throw new Error(`attempt ${number} of ${jobId} was never added`);
  verdict.require(
    "an unacknowledged attempt counts for nothing",
    jobId,
    change.acknowledgedMs === null ||
      attempt.acknowledged ||
      attempt.reported.size > 0 ||
      job.machineReports.size > 0 ||
      job.disturbed,
    () => `attempt ${number} is acknowledged, yet nobody ever renewed or reported it`,
  );
  if (change.wasEnd === end) return;
  verdict.require(
    "one end per attempt",
    jobId,
    change.wasEnd === null,
    () => `attempt ${number} was ${change.wasEnd}, now ${end}`,
  );
  verdict.note(jobId, `D1: attempt ${number} ended: ${end}`);
  attempt.end = end;
  attempt.endedMs = change.endedMs;
  ctx.touched.add(jobId);
  if (wentBadly(end) && attempt.machineId !== null) {
    job.bans.set(attempt.machineId, (change.endedMs ?? 0) + banMs);
  }
  if (end === "interrupted") mayInterrupt(ctx, job, attempt);
  else if (end === "canceled") {
    verdict.require(
      "only its holder ends an attempt",
      jobId,
      job.cancelAsked,
      () => "nobody asked for a cancel",
    );
  } else {
    const asked = attempt.reported.has(end ?? "") || job.machineReports.has(`${attempt.machineId} ${end}`);
    verdict.require(
      "only its holder ends an attempt",
      jobId,
      asked,
      () => `attempt ${number} ended ${end}, which its holder never reported`,
    );
  }
}

function mayInterrupt(ctx: D1Context, job: JobBook, attempt: AttemptBook): void {
  const endedMs = attempt.endedMs ?? 0;
  ctx.verdict.require(
    "a lease lasts as promised",
    job.id,
    endedMs >= attempt.promisedUntilMs,
    () =>
      `attempt ${attempt.number} was ended ${(attempt.promisedUntilMs - endedMs) / 1000} s before its promised end`,
  );
  const { holder, renewedMs } = attempt;
  if (!holder || attempt.old || renewedMs === null || job.disturbed) return;
  const wellSinceMs = holder.wellSinceMs();
  if (wellSinceMs === null || wellSinceMs > renewedMs) return;
  // Doubted are leases that lapse in an outage, 5 s before its end at least: an alarm less late proves nothing.
  if (ctx.outageMs(attempt.promisedUntilMs, attempt.promisedUntilMs + doubtedMs) < doubtedMs) return;
  const reachableMs = endedMs - renewedMs - ctx.outageMs(renewedMs, endedMs);
  ctx.verdict.require(
    "an outage interrupts nobody",
    job.id,
    reachableMs >= attempt.termMs / 2,
    () =>
      `attempt ${attempt.number} was ended although its holder is well and had ${reachableMs / 1000} s to renew`,
  );
}

export function banChanged(ctx: D1Context, jobId: string, machineId: string, expiresMs: number | null): void {
  const job = ctx.book.job(jobId);
  if (expiresMs === null) {
    // Lifted: every machine that polls was banned.
    job.bans.delete(machineId);
    job.banLiftedMs = ctx.nowMs();
    return;
  }
  const due = job.bans.get(machineId);
  ctx.verdict.require(
    "a ban has its failure",
    jobId,
    due !== undefined,
    () => `${machineId} never failed this job`,
  );
}
