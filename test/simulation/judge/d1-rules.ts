/** What may become of D1's rows: told by triggers, row by row, whoever wrote them. */
import { hour } from "../scenario.ts";
import { type Book, terminal } from "./book.ts";
import type { OutboxRules } from "./outbox-rules.ts";
import type { Verdict } from "./verdict.ts";

export const banMs = 24 * hour;
/** From domain/retry.ts: fewer early deaths in a row quarantine nothing. */
const quarantineAttempts = 5;

export interface D1Context {
  book: Book;
  verdict: Verdict;
  outbox: OutboxRules;
  nowMs(): number;
  /** Moments before which jobs may be removed by a purge that is under way. */
  purgesUntilMs: Set<number>;
  clearing: boolean;
  /** How long the API could not be reached between two moments. */
  outageMs(fromMs: number, toMs: number): number;
  /** When the object last lost its storage, and its cool-downs with it. */
  storageLostMs: number;
  /** Rows that this transaction touched. */
  touched: Set<string>;
}

export interface JobChange {
  id: string;
  was: { status: string; attempt: number };
  status: string;
  attempt: number;
  machineId: string | null;
  numFailures: number;
  numInterruptions: number;
  fresh: number;
}

export function jobChanged(ctx: D1Context, change: JobChange): void {
  const { book, verdict } = ctx;
  const job = book.jobs.get(change.id);
  verdict.require(
    "others' jobs stay untouched",
    change.id,
    job !== undefined,
    () => "a job of another group",
  );
  if (!job) return;
  const { was } = change;
  verdict.note(change.id, `D1: ${was.status}/${was.attempt} → ${change.status}/${change.attempt}`);
  const moved = was.status !== change.status || was.attempt !== change.attempt;
  verdict.require(
    "ended is ended",
    change.id,
    !(terminal(was.status) && moved),
    () => `a job that was ${was.status} became ${change.status}`,
  );
  ctx.outbox.moved(change, job.numFailures);
  const claimed = change.status === "running" && moved;
  verdict.require(
    "attempts rise",
    change.id,
    claimed ? change.attempt > was.attempt : change.attempt === was.attempt,
    () => `attempt ${was.attempt} → ${change.attempt}`,
  );
  verdict.require(
    "a paused group hands out nothing",
    change.id,
    !(claimed && book.pausedSinceMs !== null),
    () => `paused since ${ctx.nowMs() - (book.pausedSinceMs ?? 0)} ms, and attempt ${change.attempt} begins`,
  );
  if (change.attempt === 0 && change.numFailures > job.numFailures) {
    job.unclaimedFailures += change.numFailures - job.numFailures;
    if (change.machineId !== null) job.bans.set(change.machineId, ctx.nowMs() + banMs);
  }
  if (change.attempt === 0 && (change.status === "completed" || change.numFailures > job.numFailures)) {
    const kind = change.status === "completed" ? "completed" : "failed";
    const asked = job.unclaimedReports.get(change.machineId ?? "");
    job.unclaimedEnd = `${change.machineId} ${kind}`;
    job.unclaimedEnds.add(job.unclaimedEnd);
    verdict.require(
      "only its holder ends an attempt",
      change.id,
      asked === kind,
      () => `${kind} without a claim, which ${change.machineId} never reported`,
    );
  }
  job.changedMs = ctx.nowMs();
  job.status = change.status;
  job.attempt = change.attempt;
  job.numFailures = change.numFailures;
  job.numInterruptions = change.numInterruptions;
  job.fresh = change.fresh;
  if (change.status !== "pending") book.pending.delete(job.id);
  else if (was.status !== "pending" || was.attempt !== change.attempt) {
    job.pendingSinceMs = ctx.nowMs();
    book.pending.set(job.id, job);
  }
  ctx.touched.add(change.id);
}

export function jobRemoved(ctx: D1Context, id: string, status: string): void {
  const job = ctx.book.job(id);
  ctx.verdict.note(id, `D1: removed while ${status}`);
  const purged = [...ctx.purgesUntilMs].some((untilMs) => job.createdMs <= untilMs) && status === "pending";
  ctx.verdict.require(
    "purge takes what was there",
    id,
    purged || ctx.clearing,
    () => `removed although no purge that began after its creation is under way`,
  );
  ctx.outbox.removed(id);
  job.gone = true;
  job.changedMs = ctx.nowMs();
  ctx.book.pending.delete(id);
}

/** Once a transaction is through: its rows belong together. */
export function transactionEnded(ctx: D1Context): void {
  ctx.outbox.transactionEnded();
  for (const jobId of ctx.touched) {
    const job = ctx.book.job(jobId);
    if (job.gone) continue;
    const ends = [...job.attempts.values()];
    const failures = ends.filter(({ end }) => end === "failed" || end === "timed_out");
    const failed = failures.length + job.unclaimedFailures;
    ctx.verdict.require(
      "failures are counted once",
      jobId,
      job.numFailures === failed,
      () => `num_failures is ${job.numFailures}, of ${failed} failed attempts`,
    );
    const interrupted = ends.filter(
      (attempt) => attempt.end === "interrupted" && (attempt.acknowledged || job.disturbed),
    );
    ctx.verdict.require(
      "interruptions are counted once",
      jobId,
      job.numInterruptions <= interrupted.length,
      () =>
        `num_interruptions is ${job.numInterruptions}, of ${interrupted.length} acknowledged attempts that lapsed`,
    );
    const current = job.attempts.get(job.attempt);
    if (job.status === "failed" && (current?.end === "interrupted" || current?.end === "stalled")) {
      const gaveOut = interrupted.length + ends.filter(({ end }) => end === "stalled").length;
      ctx.verdict.require(
        "interruptions are no failures",
        jobId,
        gaveOut >= quarantineAttempts,
        () => `failed after ${gaveOut} interruptions and stalls`,
      );
    }
    ctx.verdict.require(
      "every attempt is on record",
      jobId,
      job.attempt === 0 || current !== undefined,
      () => `attempt ${job.attempt} has no row`,
    );
    ctx.verdict.require(
      "the job and its attempt agree",
      jobId,
      current === undefined || (current.end === null) === (job.status === "running"),
      () => `the job is ${job.status}, its attempt ${job.attempt} ${current?.end ?? "open"}`,
    );
  }
  ctx.touched.clear();
}
