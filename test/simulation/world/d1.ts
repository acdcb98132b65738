/** D1: the shipped migrations and statements on Node's SQLite, reached over a network that loses calls and answers. */
import { readdirSync, readFileSync } from "node:fs";
import type { SqlRecord } from "../../../src/db/job-record.ts";
import type { Statement } from "../../../src/db/statement.ts";
import { Database } from "./database.ts";
import type { Faults } from "./faults.ts";
import type { Schedule } from "./schedule.ts";

const migrationsDir = new URL("../../../migrations/", import.meta.url);

/** The caller: one life of the object. What it waits for when it ends never comes. */
export interface Caller {
  readonly alive: boolean;
  crash(): void;
}

export interface D1Watcher {
  /** A batch leaves the engine. */
  asked(statements: Statement[]): void;
  /** Its caller was told an error; it will be applied later. */
  willLandLate(statements: Statement[]): void;
  /** Whether a late write would now meet a job that has moved on. */
  meetsSuccessor(statements: Statement[]): boolean;
  /** On its way, whatever becomes of its caller. */
  sent(statements: Statement[]): void;
  landed(statements: Statement[]): void;
  applied(): void;
  /** SQLite refused a statement: nothing that faults explain. */
  broke(error: unknown): void;
}

export class SimulatedD1 {
  readonly database = new Database();
  /** Late writes that wait for the worst moment. */
  #waiting: { statements: Statement[]; untilMs: number }[] = [];
  batches = 0;
  statements = 0;
  readonly #schedule: Schedule;
  readonly #faults: Faults;
  readonly #watcher: D1Watcher;

  constructor(schedule: Schedule, faults: Faults, watcher: D1Watcher) {
    this.#schedule = schedule;
    this.#faults = faults;
    this.#watcher = watcher;
    for (const file of readdirSync(migrationsDir).filter((name) => name.endsWith(".sql"))) {
      this.database.exec(readFileSync(new URL(file, migrationsDir), "utf8"));
    }
  }

  /** One transaction, here and now. */
  apply(statements: Statement[]): SqlRecord[][] {
    this.batches++;
    this.statements += statements.length;
    const { database } = this;
    if (statements.length > 1) database.exec("BEGIN");
    try {
      const results = statements.map(({ sql, params }) => database.all(sql, params));
      if (statements.length > 1) database.exec("COMMIT");
      this.#watcher.landed(statements);
      this.#watcher.applied();
      if (this.#waiting.length > 0) this.#releaseWaiting();
      return results;
    } catch (error) {
      if (statements.length > 1) database.exec("ROLLBACK");
      this.#watcher.broke(error);
      throw error;
    }
  }

  send(caller: Caller, statements: Statement[]): Promise<SqlRecord[][]> {
    this.#watcher.asked(statements);
    const writes = statements.some(({ sql }) => !sql.startsWith("SELECT"));
    const fault = this.#faults.ofD1(writes);
    const { promise, resolve, reject } = Promise.withResolvers<SqlRecord[][]>();
    const schedule = this.#schedule;
    const answer = (afterMs: number, settle: () => void) =>
      schedule.after(afterMs, () => {
        if (!caller.alive) return;
        schedule.touched = true;
        settle();
      });
    const lost = () => reject(new Error("D1: connection lost"));

    if (fault.kind !== "crash-before" && fault.kind !== "refused") this.#watcher.sent(statements);
    if (fault.kind === "crash-before") {
      schedule.after(0, () => caller.crash());
    } else if (fault.kind === "refused") {
      answer(fault.thereMs + fault.backMs, () => reject(new Error("D1: overloaded")));
    } else if (fault.kind === "late") {
      this.#watcher.willLandLate(statements);
      answer(fault.thereMs, lost);
      if (fault.waits)
        this.#waiting.push({ statements, untilMs: schedule.nowMs + fault.thereMs + fault.lateMs });
      else schedule.after(fault.thereMs + fault.lateMs, () => this.#applyUnheard(statements));
    } else {
      schedule.after(fault.thereMs, () => {
        let results: SqlRecord[][];
        try {
          results = this.apply(statements);
        } catch (error) {
          answer(fault.backMs, () => reject(error));
          return;
        }
        if (fault.kind === "crash-after") caller.crash();
        else answer(fault.backMs, fault.kind === "answer-lost" ? lost : () => resolve(results));
      });
    }
    return promise;
  }

  #releaseWaiting(): void {
    const { nowMs } = this.#schedule;
    const now = this.#waiting.filter(
      ({ statements, untilMs }) => untilMs <= nowMs || this.#watcher.meetsSuccessor(statements),
    );
    if (now.length === 0) return;
    this.#waiting = this.#waiting.filter((write) => !now.includes(write));
    for (const { statements } of now) this.#schedule.after(1, () => this.#applyUnheard(statements));
  }

  #applyUnheard(statements: Statement[]): void {
    try {
      this.apply(statements);
    } catch (error) {
      // Nobody waits for it; the watcher has been told.
      this.#faults.count(`d1 ${String(error)}`);
    }
  }
}
