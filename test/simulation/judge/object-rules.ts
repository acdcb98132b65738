/** What the object may write and when: rows before D1 (rule 1), no row given up while D1 counts on it, alarms. */
import type { Statement } from "../../../src/db/statement.ts";
import { minute } from "../scenario.ts";
import type { Book } from "./book.ts";
import type { Verdict } from "./verdict.ts";

export interface ObjectContext {
  book: Book;
  verdict: Verdict;
  nowMs(): number;
}

export function rowAdded(
  ctx: ObjectContext,
  row: { jobId: string; attempt: number; phase: string; opId: string; old: boolean; claimId: string | null },
): void {
  const { book, verdict } = ctx;
  const { jobId, attempt } = row;
  verdict.note(jobId, `row ${row.phase}/${attempt} ${row.opId}`);
  const job = book.jobs.get(jobId);
  if (job) job.rowChangedMs = ctx.nowMs();
  book.intents.add(row.opId);
  if (row.claimId !== null) book.spentClaims.add(row.claimId);
  book.rows.set(jobId, {
    jobId,
    attempt,
    phase: row.phase,
    opId: row.opId,
    claimId: row.claimId,
    sinceMs: ctx.nowMs(),
  });
  if (row.phase !== "claiming") return;
  const name = `${jobId}/${attempt}`;
  verdict.require(
    "a number given away is not given again",
    jobId,
    !book.lateClaims.has(name),
    () => `attempt ${attempt} is tried again while the write of an earlier claim of it may still land`,
  );
  // An earlier claim of this number may have been refused; this one's kind counts.
  if (row.old) book.oldClaims.add(name);
  else book.oldClaims.delete(name);
}

export function rowMoved(
  ctx: ObjectContext,
  jobId: string,
  attempt: number,
  phase: string,
  opId: string,
): void {
  const was = ctx.book.rows.get(jobId);
  ctx.book.intents.add(opId);
  if (was?.phase !== phase || was.opId !== opId) ctx.verdict.note(jobId, `row ${phase}/${attempt} ${opId}`);
  ctx.book.rows.set(jobId, {
    jobId,
    attempt,
    phase,
    opId,
    claimId: was?.claimId ?? null,
    sinceMs: ctx.nowMs(),
  });
}

export function rowRemoved(ctx: ObjectContext, jobId: string, attempt: number): void {
  const { book, verdict } = ctx;
  verdict.note(jobId, `row ${attempt} gone`);
  book.rows.delete(jobId);
  const job = book.jobs.get(jobId);
  if (!job) return;
  job.rowChangedMs = ctx.nowMs();
  const current = job.attempts.get(attempt);
  const counted = !job.gone && job.status === "running" && job.attempt === attempt;
  const excused = job.disturbed || current?.landedLate === true;
  verdict.require(
    "no row goes before D1's word",
    jobId,
    !counted || excused,
    () => `the row of attempt ${attempt} is gone, which D1 says is running`,
  );
}

/** Rule 1: whatever names an operation has stood on a row. A repeat may come after the row has gone; its fence stops it. */
export function d1Asked(ctx: ObjectContext, statements: Statement[]): void {
  for (const { sql, params } of statements) {
    if (!sql.startsWith("UPDATE jobs")) continue;
    const opId = params.find((param) => typeof param === "string" && param.startsWith("op-"));
    if (opId === undefined) continue;
    const jobId = String(params[0]);
    ctx.verdict.require(
      "intent first",
      jobId,
      ctx.book.intents.has(String(opId)),
      () => `${opId} goes to D1 without an intent on the job's row`,
    );
  }
}

/** An alarm and a sweep each minute, of which some fail, and D1 may be down for a few: this is beyond patience. */
export const patienceMs = 14 * minute;

/** Asked each minute: what D1 and the rows say of a job must not differ for long, nor may an intent stay open. */
export function nothingStaysApart(
  ctx: ObjectContext,
  outageMs: (fromMs: number, toMs: number) => number,
  ownPatienceMs: number,
): void {
  const { book, verdict } = ctx;
  const nowMs = ctx.nowMs();
  const longAgo = (sinceMs: number) => nowMs - sinceMs - outageMs(sinceMs, nowMs) > ownPatienceMs;
  const jobs = new Set([...book.rows.keys(), ...book.open().map((job) => job.id)]);
  for (const id of jobs) {
    const row = book.rows.get(id);
    const job = book.jobs.get(id);
    if (!job) continue;
    const runs = !job.gone && job.status === "running";
    if (runs === (row !== undefined && row.attempt === job.attempt)) job.disagreeSinceMs = null;
    else if (job.gone || runs || row?.phase === "held") job.disagreeSinceMs ??= nowMs;
    verdict.require(
      "D1 and the rows agree",
      id,
      job.disagreeSinceMs === null || !longAgo(job.disagreeSinceMs),
      () =>
        `D1 says ${job.gone ? "gone" : job.status}/${job.attempt}, the row ${row ? `${row.phase}/${row.attempt}` : "is not there"}`,
    );
    verdict.require(
      "intents are resolved",
      id,
      !row || row.phase === "held" || !longAgo(row.sinceMs),
      () => `${row?.opId} stands open since ${(nowMs - (row?.sinceMs ?? 0)) / 1000} s`,
    );
  }
}

/** More alarms than this in a minute, however many leases lapse, are a loop. */
const alarmsPerMinute = 150;

export class AlarmRules {
  readonly #ctx: ObjectContext;
  #rungMs: number[] = [];

  constructor(ctx: ObjectContext) {
    this.#ctx = ctx;
  }

  rang(): void {
    const nowMs = this.#ctx.nowMs();
    this.#rungMs.push(nowMs);
    if (this.#rungMs.length > alarmsPerMinute) {
      this.#rungMs = this.#rungMs.filter((atMs) => atMs > nowMs - minute);
    }
    this.#ctx.verdict.require(
      "no hot alarm loop",
      null,
      this.#rungMs.length <= alarmsPerMinute,
      () => `${this.#rungMs.length} alarms within a minute`,
    );
  }

  /** Once the engine has come to rest. `alarmMs`: null when none is set. */
  atRest(alarmMs: number | null): void {
    const rows = this.#ctx.book.rows.size;
    this.#ctx.verdict.require(
      "rows have an alarm",
      null,
      rows === 0 || alarmMs !== null,
      () => `${rows} rows, and no alarm is set`,
    );
  }
}
