/** Who may be told to go, and how often (docs/leases.md, "Bad machines"). */
import { hour, minute } from "../scenario.ts";
import { wentBadly } from "./attempt-rules.ts";
import type { Book, JobBook } from "./book.ts";
import type { Verdict } from "./verdict.ts";

export function toldWithin(book: Book, machineId: string, sinceMs: number): boolean {
  return book.toldToGo.some((told) => told.machineId === machineId && told.atMs >= sinceMs);
}

export function toldToGo(ctx: { book: Book; verdict: Verdict; nowMs: number }, machineId: string): void {
  const { book, verdict, nowMs } = ctx;
  verdict.note(null, `${machineId} is told to go`);
  const better = [...book.jobs.values()].filter((job) => wentBetterElsewhere(job, machineId, nowMs));
  verdict.require(
    "who goes is to blame",
    null,
    better.length >= 2,
    () => `${machineId} is told to go; ${better.length} of its failed jobs did better elsewhere`,
  );
  const since = (ms: number) => book.toldToGo.filter((told) => nowMs - told.atMs < ms);
  verdict.require(
    "few are told to go",
    null,
    since(10 * minute).length === 0 && !toldWithin(book, machineId, nowMs - 48 * hour + 1),
    () => `${machineId} is told to go, too soon after another or itself`,
  );
  // As many as were ever seen, at most.
  const ration = Math.max(1, Math.floor(book.machines.size / 10));
  verdict.require(
    "few are told to go",
    null,
    since(24 * hour).length < ration,
    () => `${machineId} is the ${since(24 * hour).length + 1}th of ${book.machines.size} machines in a day`,
  );
  book.toldToGo.push({ machineId, atMs: nowMs });
}

function wentBetterElsewhere(job: JobBook, machineId: string, nowMs: number): boolean {
  const attempts = [...job.attempts.values()];
  const failed = attempts.filter(
    (attempt) =>
      attempt.machineId === machineId &&
      wentBadly(attempt.end) &&
      nowMs - (attempt.endedMs ?? 0) <= 24 * hour,
  );
  return failed.some((bad) =>
    attempts.some(
      (attempt) => attempt.number > bad.number && attempt.machineId !== machineId && !wentBadly(attempt.end),
    ),
  );
}
