/** What the API may answer: looked at in the very step in which the engine answers. */

import type {
  CancelAnswer,
  PurgeAnswer,
  RenewAnswer,
  SettleAnswer,
  SettleKind,
} from "../../../src/group/protocol.ts";
import { minute, second } from "../scenario.ts";
import { toldWithin } from "./bad-machine-rules.ts";
import type { Book, JobBook } from "./book.ts";
import { terminal } from "./book.ts";
import type { Verdict } from "./verdict.ts";

export interface AnswerContext {
  book: Book;
  verdict: Verdict;
  nowMs(): number;
  /** When D1 last failed somebody. */
  lastD1FaultMs(): number;
  /** The object's row of a job as its storage has it. */
  row(jobId: string): { acknowledged_ms: unknown; expires_ms: unknown; extended: unknown } | undefined;
  coolingDown(jobId: string, machineId: string): boolean;
  /** Whether the autoscaler has grants to that machine withheld, as the object's storage has it. */
  withheld(machineId: string): boolean;
}

export function excusable(ctx: AnswerContext, jobId: string | null, what: string): void {
  const sinceMs = ctx.nowMs() - ctx.lastD1FaultMs();
  ctx.verdict.require(
    "unavailable has a reason",
    jobId,
    sinceMs < minute,
    () => `${what} was put off although D1 has answered everybody for ${Math.round(sinceMs / 1000)} s`,
  );
}

export interface RenewCall {
  jobId: string;
  machineId: string;
  attempt: number | undefined;
  /** Holds nothing: shows a token that it never got. */
  stranger: boolean;
  /** The claim id by which it holds the attempt; null: an old worker. */
  claimId: string | null;
  /** When the question arrived: what it relies on counts from here. */
  startedMs: number;
}

export function renewAnswered(ctx: AnswerContext, call: RenewCall, answer: RenewAnswer): void {
  const { book, verdict } = ctx;
  const { jobId } = call;
  const job = book.jobs.get(jobId);
  if (answer.status === "running") {
    verdict.require(
      "strangers get nothing",
      jobId,
      !call.stranger,
      () => "a stranger's renewal was accepted",
    );
    if (!job) return;
    const number = call.attempt ?? book.rows.get(jobId)?.attempt ?? job.attempt;
    const attempt = job.attempts.get(number);
    const current = !job.gone && job.status === "running" && job.attempt === number;
    // It was true when the question came; the answer may have waited for another lease of the same call.
    const since = job.changedMs >= call.startedMs;
    verdict.require(
      "a renewal is true",
      jobId,
      current || since || job.disturbed,
      () =>
        `attempt ${number} was told that it runs; D1 says ${job.gone ? "gone" : job.status}/${job.attempt}`,
    );
    if (!attempt) return;
    attempt.acknowledged = true;
    attempt.renewedMs = call.startedMs;
    attempt.promisedUntilMs = Math.max(
      attempt.promisedUntilMs,
      call.startedMs + answer.leaseSeconds * second,
    );
    return;
  }
  verdict.note(jobId, `renewal of ${call.attempt ?? "?"} by ${call.machineId}: ${answer.status}`);
  if (answer.status === "canceled") onlyD1Cancels(ctx, job, call, "was told that it is canceled");
}

/** A holder whose attempt D1 knows as current is not turned away. */
function onlyD1Cancels(ctx: AnswerContext, job: JobBook | undefined, call: RenewCall, what: string): void {
  if (!job || call.stranger || call.claimId === null || call.attempt === undefined) return;
  const attempt = job.attempts.get(call.attempt);
  const current = !job.gone && job.status === "running" && job.attempt === call.attempt;
  ctx.verdict.require(
    "only D1's word cancels",
    job.id,
    !current || attempt?.grantedTo !== call.claimId,
    () => `the holder of attempt ${call.attempt} ${what}; D1 says that it runs`,
  );
}

export interface SettleCall extends RenewCall {
  kind: SettleKind;
}

export function settleAnswered(ctx: AnswerContext, call: SettleCall, answer: SettleAnswer): void {
  const { book, verdict } = ctx;
  const { jobId, kind } = call;
  const told = answer.ok ? "ok" : answer.reason;
  verdict.note(jobId, `report ${kind}/${call.attempt ?? "?"} by ${call.machineId}: ${told}`);
  const job = book.jobs.get(jobId);
  verdict.require(
    "strangers get nothing",
    jobId,
    !(call.stranger && answer.ok),
    () => "a stranger's report was accepted",
  );
  if (!job || call.stranger) return;
  const own = call.attempt === undefined ? undefined : job.attempts.get(call.attempt);
  const recorded =
    call.attempt !== undefined
      ? own?.end === kind
      : [...job.attempts.values()].some(
          (attempt) => attempt.machineId === call.machineId && attempt.end === kind,
        ) || job.unclaimedEnds.has(`${call.machineId} ${kind}`);
  if (answer.ok) {
    job.settledMs = ctx.nowMs();
    const { reallocate } = answer;
    verdict.require(
      "who is to go was told",
      jobId,
      reallocate === undefined || toldWithin(book, call.machineId, ctx.nowMs() - 10 * minute),
      () => `${call.machineId} was answered "${reallocate}"`,
    );
    verdict.require(
      "what is answered ok is in D1",
      jobId,
      recorded || job.gone,
      () => `${kind} was answered ok; D1 has ${own?.end ?? "no such end"}`,
    );
    return;
  }
  if (answer.reason === "unavailable") {
    excusable(ctx, jobId, "a report");
    return;
  }
  // An old worker may ask about an earlier attempt of its machine: only ours is precise.
  // And of two that overlap on a job that nobody has claimed, the second is refused today.
  const repeats =
    call.claimId !== null ||
    (job.unclaimedEnd === `${call.machineId} ${kind}` && job.attempt === 0 && job.settledMs < call.startedMs);
  verdict.require(
    "a repeat is a success",
    jobId,
    !(recorded && repeats) || job.gone,
    () => `${kind} was refused as ${answer.reason}, though D1 has recorded it`,
  );
  onlyD1Cancels(ctx, job, call, `was refused as ${answer.reason}`);
}

export function cancelAnswered(ctx: AnswerContext, jobId: string, answer: CancelAnswer): void {
  const job = ctx.book.jobs.get(jobId);
  if (!job) return;
  ctx.verdict.note(jobId, `cancel: ${answer.ok ? "ok" : answer.reason}`);
  if (answer.ok) {
    ctx.verdict.require(
      "what is answered ok is in D1",
      jobId,
      job.status === "canceled" || job.gone,
      () => `cancel was answered ok; D1 says ${job.status}`,
    );
  } else if (answer.reason === "unavailable") excusable(ctx, jobId, "a cancel");
}

/** `before`: jobs that were open when the purge began. */
export function purgeAnswered(ctx: AnswerContext, before: JobBook[], answer: PurgeAnswer): void {
  ctx.verdict.note(null, `purge: ${answer.ok ? answer.count : answer.reason}`);
  if (!answer.ok) return;
  for (const job of before) {
    ctx.verdict.require(
      "a purge leaves nothing",
      job.id,
      job.gone || terminal(job.status),
      () => `${job.status} after a purge that began when it was there`,
    );
  }
}
