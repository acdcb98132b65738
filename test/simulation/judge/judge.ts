/**
 * The judge: hears of every change in D1 and in the object's storage, of every question and every answer, and holds them
 * against the rules. It believes nobody's tables: what it knows it has seen happen.
 */

import type { Statement } from "../../../src/db/statement.ts";
import type {
  CancelAnswer,
  ClaimAnswer,
  PurgeAnswer,
  RenewAnswer,
  SettleAnswer,
  SettleKind,
} from "../../../src/group/protocol.ts";
import type { SimulatedBucket } from "../world/bucket.ts";
import type { D1Watcher, SimulatedD1 } from "../world/d1.ts";
import type { Database } from "../world/database.ts";
import type { Faults } from "../world/faults.ts";
import type { GroupObject, ObjectWatcher } from "../world/group-object.ts";
import type { Schedule } from "../world/schedule.ts";
import * as answers from "./answer-rules.ts";
import { toldToGo } from "./bad-machine-rules.ts";
import { Book, type JobBook } from "./book.ts";
import { type ClaimCall, claimAnswered } from "./claim-rules.ts";
import * as d1Rules from "./d1-rules.ts";
import type { Holder } from "./holder.ts";
import { AlarmRules, d1Asked, nothingStaysApart } from "./object-rules.ts";
import { Outages } from "./outages.ts";
import { OutboxRules } from "./outbox-rules.ts";
import { StorageRules } from "./storage-rules.ts";
import { watchD1, watchStorage } from "./triggers.ts";
import { TrustRules } from "./trust-rules.ts";
import type { Verdict } from "./verdict.ts";

export class Judge implements D1Watcher, ObjectWatcher {
  readonly book = new Book();
  readonly outages = new Outages();
  /** Zombie effects that came to nothing, by kind. */
  readonly refusals = new Map<string, number>();
  readonly verdict: Verdict;
  readonly storage: StorageRules;
  readonly outbox: OutboxRules;
  readonly #schedule: Schedule;
  readonly #trust: TrustRules;
  readonly #alarms: AlarmRules;
  readonly #d1Context: d1Rules.D1Context;
  readonly #answerContext: answers.AnswerContext;
  readonly #claimsUnderWay = new Map<string, number>();
  /** "job/attempt" of claims on their way to D1. */
  readonly #claimsSent = new Set<string>();
  #d1: SimulatedD1 | undefined;
  #object: GroupObject | undefined;
  readonly #watchedStorages = new Set<Database>();

  constructor(schedule: Schedule, faults: Faults, verdict: Verdict, userId: string) {
    this.verdict = verdict;
    this.#schedule = schedule;
    this.#trust = new TrustRules(verdict);
    const nowMs = () => schedule.nowMs;
    const { book } = this;
    this.storage = new StorageRules(book, verdict, nowMs, userId);
    this.#alarms = new AlarmRules({ book, verdict, nowMs });
    this.outbox = new OutboxRules(verdict);
    this.#d1Context = {
      book,
      verdict,
      outbox: this.outbox,
      nowMs,
      purgesUntilMs: new Set(),
      clearing: false,
      outageMs: (fromMs, toMs) => this.outages.between(fromMs, toMs),
      storageLostMs: Number.NEGATIVE_INFINITY,
      touched: new Set(),
    };
    this.#answerContext = {
      book,
      verdict,
      nowMs,
      lastD1FaultMs: () => faults.lastD1FaultMs,
      row: (jobId) =>
        this.#object?.storage.all(
          "SELECT acknowledged_ms, expires_ms, extended FROM leases WHERE job_id = ?",
          [jobId],
        )[0] as { acknowledged_ms: unknown; expires_ms: unknown; extended: unknown } | undefined,
      coolingDown: (jobId, machineId) =>
        (this.#object?.storage.all("SELECT 1 FROM cooldowns WHERE job_id = ? AND machine_id = ?", [
          jobId,
          machineId,
        ]).length ?? 0) > 0,
      withheld: (machineId) => {
        const [kept] = this.#object?.storage.all("SELECT held FROM grant_hold", []) ?? [];
        if (kept === undefined) return false;
        const { choosing, doomed } = JSON.parse(String(kept.held));
        return (
          (choosing !== null && choosing.untilMs > nowMs()) ||
          doomed.some(
            (one: { machineId: string; untilMs: number }) =>
              one.machineId === machineId && one.untilMs > nowMs(),
          )
        );
      },
    };
  }

  /** Begins to listen. */
  watch(d1: SimulatedD1, object: GroupObject, bucket: SimulatedBucket): void {
    this.#d1 = d1;
    this.#object = object;
    watchD1(d1.database, this.#d1Context);
    this.storage.watch(d1.database, bucket);
  }

  // D1

  asked(statements: Statement[]): void {
    d1Asked(this.#objectContext, statements);
  }

  sent(statements: Statement[]): void {
    for (const name of claimsIn(statements)) this.#claimsSent.add(name);
  }

  willLandLate(statements: Statement[]): void {
    for (const name of claimsIn(statements)) this.book.lateClaims.add(name);
  }

  meetsSuccessor(statements: Statement[]): boolean {
    return statements.some(({ sql, params }) => {
      const commits = sql.startsWith("INSERT INTO checkpoints");
      const job =
        commits || sql.startsWith("UPDATE jobs") ? this.book.jobs.get(String(params[0])) : undefined;
      if (!job || job.gone) return false;
      if (!commits) return job.attempt >= Number(params[1]) && job.status === "pending";
      const [, , attempt, generation, baseSeq] = params;
      // Some wait until a successor runs; others until nobody does, or until their own attempt has gone on without them.
      if (Number(generation) % 2 === 0) return job.attempt > Number(attempt) && job.status === "running";
      return job.status === "pending" || this.storage.headSeq(job.id) !== baseSeq;
    });
  }

  landed(statements: Statement[]): void {
    for (const name of claimsIn(statements)) {
      this.#claimsSent.delete(name);
      this.book.lateClaims.delete(name);
    }
  }

  applied(): void {
    d1Rules.transactionEnded(this.#d1Context);
    this.storage.transactionEnded();
  }

  broke(error: unknown): void {
    this.verdict.require("every statement runs", null, false, () => String(error));
  }

  // The object

  get #objectContext() {
    return { book: this.book, verdict: this.verdict, nowMs: () => this.#schedule.nowMs };
  }

  storageIsNew(storage: Database): void {
    if (this.#watchedStorages.has(storage)) return;
    this.#watchedStorages.add(storage);
    watchStorage(storage, this.#objectContext);
  }

  crashed(storageLost: boolean): void {
    this.verdict.note(null, storageLost ? "the object lost its storage" : "the object crashed");
    this.#claimsUnderWay.clear();
    for (const name of this.#claimsSent) this.book.lateClaims.add(name);
    if (!storageLost) return;
    this.book.rows.clear();
    this.book.toldToGo = [];
    // Which numbers it had given away it has forgotten too.
    this.book.lateClaims.clear();
    this.#claimsSent.clear();
    this.#d1Context.storageLostMs = this.#schedule.nowMs;
    this.disturbAll();
  }

  /** Rows and D1 may disagree about these for a while, for no fault of the protocol's. */
  disturbAll(): void {
    for (const job of this.book.open()) job.disturbed = true;
  }

  alarmRang(): void {
    this.#alarms.rang();
  }

  event(event: { event: string; jobId?: string | undefined; detail?: string }): void {
    this.verdict.note(event.jobId ?? null, `engine: ${event.event} ${event.detail ?? ""}`);
  }

  /** After each step in which the engine may have moved. */
  atRest(): void {
    const object = this.#object;
    if (object && !object.alarmRuns && !object.alarmLost) this.#alarms.atRest(object.alarmMs);
  }

  /** Each minute. */
  looksAround(patienceMs: number): void {
    const outageMs = (fromMs: number, toMs: number) => this.outages.between(fromMs, toMs);
    nothingStaysApart(this.#objectContext, outageMs, patienceMs);
  }

  engineThrew(error: unknown): void {
    this.verdict.require("the engine never throws", null, false, () => String(error));
  }

  // Jobs and people

  submitted(id: string, priority: number, managed: boolean): void {
    this.book.add(id, this.#schedule.nowMs, priority, managed);
    this.verdict.note(id, managed ? "submitted, with managed storage" : "submitted");
  }

  wantsCanceled(jobId: string): void {
    this.book.job(jobId).cancelAsked = true;
  }

  /** A pause has been answered. */
  paused(): void {
    this.verdict.note(null, "paused");
    this.book.pausedSinceMs = this.#schedule.nowMs;
  }

  /** Somebody asks for its end. */
  resumed(): void {
    this.verdict.note(null, "resumed");
    this.book.pausedSinceMs = null;
    this.book.resumedMs = this.#schedule.nowMs;
  }

  purgeBegan(): JobBook[] {
    const open = this.book.open();
    for (const job of open) job.cancelAsked = true;
    this.#d1Context.purgesUntilMs.add(this.#schedule.nowMs);
    this.verdict.note(null, "purge begins");
    return open;
  }

  clears(work: () => void): void {
    this.verdict.note(null, "an admin clears D1");
    this.disturbAll();
    this.#d1Context.clearing = true;
    work();
    this.#d1Context.clearing = false;
  }

  /** A machine is told to have itself exchanged, in this very step. */
  toldToGo(machineId: string): void {
    toldToGo({ book: this.book, verdict: this.verdict, nowMs: this.#schedule.nowMs }, machineId);
  }

  // Attempts

  began(holder: Holder): void {
    this.#trust.began(holder);
    const attempt = this.book.attempt(holder.jobId, holder.attempt);
    if (attempt) attempt.holder = holder;
  }

  over(holder: Holder): void {
    this.#trust.over(holder);
  }

  trusted(holder: Holder): void {
    this.#trust.gained(holder);
  }

  uploadBegan(holder: Holder): void {
    this.#trust.uploadBegan(holder);
  }

  refused(kind: string): void {
    this.refusals.set(kind, (this.refusals.get(kind) ?? 0) + 1);
  }

  reports(jobId: string, number: number, kind: SettleKind): void {
    this.verdict.note(jobId, `attempt ${number} will report ${kind}`);
    this.book.attempt(jobId, number)?.reported.add(kind);
  }

  reportsByMachine(jobId: string, machineId: string, kind: SettleKind): void {
    this.verdict.note(jobId, `${machineId} will report ${kind}`);
    this.book.job(jobId).machineReports.add(`${machineId} ${kind}`);
  }

  reportsUnclaimed(jobId: string, machineId: string, kind: SettleKind): void {
    this.book.job(jobId).unclaimedReports.set(machineId, kind);
    this.reportsByMachine(jobId, machineId, kind);
  }

  /** This machine asks for work, whoever it is. */
  asks(machineId: string): void {
    this.book.machines.add(machineId);
  }

  // Answers

  /** A claim arrives. A copy joins the one under way, and shares its view of the queue. */
  claiming(name: string, machineId: string): void {
    this.asks(machineId);
    if (!this.#claimsUnderWay.has(name)) this.#claimsUnderWay.set(name, this.#schedule.nowMs);
  }

  claimed(call: Omit<ClaimCall, "startedMs">, answer: ClaimAnswer): void {
    const startedMs = this.#claimsUnderWay.get(call.name) ?? this.#schedule.nowMs;
    // Copies are answered in the same step.
    this.#schedule.after(0, () => this.#claimsUnderWay.delete(call.name));
    claimAnswered(this.#answerContext, { ...call, startedMs }, answer);
  }

  /** One that knows the claim id of somebody else gets what everybody gets, if anything. */
  claimedByStranger(jobId: string, attempt: number, answer: ClaimAnswer): void {
    const stolen = answer.ok && answer.job?.id === jobId && answer.job.attempt === attempt;
    this.verdict.require(
      "strangers get nothing",
      jobId,
      !stolen,
      () => "a stranger was given another's claim",
    );
  }

  /** Rule: a renewal of a held lease costs D1 nothing and waits for nobody. */
  renewing<T>(holders: { jobId: string; attempt: number }[], renew: () => Promise<T>): Promise<T> {
    let held = true;
    for (const { jobId, attempt } of holders) {
      const row = this.book.rows.get(jobId);
      const known = this.book.attempt(jobId, attempt);
      // It counts from here, even if the answer for another lease of this call never comes.
      if (row?.phase === "held" && row.attempt === attempt && known) known.acknowledged = true;
      else held = false;
    }
    const startedMs = this.#schedule.nowMs;
    const batches = this.#d1?.batches;
    const answer = renew();
    if (!held) return answer;
    return answer.then((value) => {
      const free = this.#schedule.nowMs === startedMs && this.#d1?.batches === batches;
      this.verdict.require(
        "a renewal costs D1 nothing",
        holders[0]?.jobId ?? null,
        free,
        () => "it waited for D1",
      );
      return value;
    });
  }

  renewed(call: answers.RenewCall, answer: RenewAnswer): void {
    answers.renewAnswered(this.#answerContext, call, answer);
  }

  settled(call: answers.SettleCall, answer: SettleAnswer): void {
    answers.settleAnswered(this.#answerContext, call, answer);
  }

  canceled(jobId: string, answer: CancelAnswer): void {
    answers.cancelAnswered(this.#answerContext, jobId, answer);
  }

  purged(before: JobBook[], answer: PurgeAnswer): void {
    answers.purgeAnswered(this.#answerContext, before, answer);
  }
}

/** "job/attempt" of the claims in a batch. */
function claimsIn(statements: Statement[]): string[] {
  // Several may share a transaction.
  const claims = statements.filter(({ sql }) =>
    sql.startsWith("UPDATE jobs SET status = 'running', attempt = ?2"),
  );
  return claims.map(({ params }) => `${params[0]}/${params[1]}`);
}
