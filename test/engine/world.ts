/**
 * A world for the engine: Node's SQLite as D1 (with the shipped migrations) and as the object's storage, a clock that
 * moves when told, and faults at each D1 call. The engine and its SQL are the shipped ones.
 */
import { readdirSync, readFileSync } from "node:fs";
import { DatabaseSync, type SQLInputValue } from "node:sqlite";
import type { D1Port } from "../../src/db/d1-port.ts";
import type { SqlRecord } from "../../src/db/job-record.ts";
import type { Statement } from "../../src/db/statement.ts";
import { Engine } from "../../src/group/engine.ts";
import type { EngineEvent } from "../../src/group/ports.ts";
import type { ClaimAnswer, GroupKey, Renewal, SettleFacts, SettleKind } from "../../src/group/protocol.ts";

/**
 * - `refused`: D1 fails before anything is applied.
 * - `answer-lost`: applied, and the caller gets an error.
 * - `late`: the caller gets an error; it is applied when `applyLate` is called.
 */
export type Fault = "refused" | "answer-lost" | "late";

export const key: GroupKey = { userId: "user-1", containerGroupId: "group-1" };

const migrationsDir = new URL("../../migrations/", import.meta.url);

export class World {
  nowMs = 1_000_000_000_000;
  readonly d1 = new DatabaseSync(":memory:");
  #object = new DatabaseSync(":memory:");
  engine: Engine;
  alarmMs: number | null = null;
  readonly events: EngineEvent[] = [];
  /** Batches that reached D1, for counting statements. */
  statements = 0;
  /** What connected agents were told. */
  woken = 0;
  readonly told: string[] = [];
  /** Jobs whose webhooks may have news. */
  readonly written: string[] = [];
  /** Asked before each batch; what it returns happens. */
  faultOf: (statements: Statement[]) => Fault | undefined = () => undefined;
  /** Runs between a batch's application and its answer: what others do while the engine waits. */
  whileWaiting: (statements: Statement[]) => Promise<void> | void = () => {};
  readonly #late: Statement[][] = [];
  #serial = 0;

  constructor() {
    for (const file of readdirSync(migrationsDir).filter((name) => name.endsWith(".sql"))) {
      this.d1.exec(readFileSync(new URL(file, migrationsDir), "utf8"));
    }
    this.engine = this.#start();
  }

  /** The object dies and comes back: its memory is gone, its storage is not. */
  restart(): void {
    this.engine = this.#start();
  }

  /** The object loses its storage too: what an adoption is for. */
  loseObject(): void {
    this.#object = new DatabaseSync(":memory:");
    this.alarmMs = null;
    this.restart();
  }

  #start(): Engine {
    const object = this.#object;
    return new Engine({
      d1: { batch: (statements) => this.#batch(statements) },
      sql: {
        exec: (sql, ...params) => object.prepare(sql).all(...(params as SQLInputValue[])) as SqlRecord[],
      },
      alarm: {
        set: (atMs) => {
          this.alarmMs = atMs;
        },
        clear: () => {
          this.alarmMs = null;
        },
      },
      nowMs: () => this.nowMs,
      operationId: () => `op-${++this.#serial}`,
      leaseToken: () => `token-${++this.#serial}`,
      log: (event) => this.events.push(event),
      outbox: { written: (jobId) => this.written.push(jobId) },
      agents: {
        wake: (count) => {
          this.woken += count;
        },
        ended: ({ jobId, attempt }, reason) => {
          this.told.push(`${jobId} ${attempt} ${reason}`);
        },
        reallocate: (machineId, reason) => {
          this.told.push(`${machineId} reallocate: ${reason}`);
        },
      },
    });
  }

  /** D1 for others than the engine: the same faults. */
  readonly d1Port: D1Port = { batch: (statements) => this.#batch(statements) };

  async #batch(statements: Statement[]): Promise<SqlRecord[][]> {
    // D1 is never reached in the step that calls it.
    await Promise.resolve();
    const fault = this.faultOf(statements);
    if (fault === "refused") throw new Error("D1 is overloaded");
    if (fault === "late") {
      this.#late.push(statements);
      throw new Error("D1 connection lost");
    }
    const results = this.#apply(statements);
    await this.whileWaiting(statements);
    if (fault === "answer-lost") throw new Error("D1 connection lost");
    return results;
  }

  #apply(statements: Statement[]): SqlRecord[][] {
    this.statements += statements.length;
    this.d1.exec("BEGIN");
    try {
      const results = statements.map(
        ({ sql, params }) => this.d1.prepare(sql).all(...(params as SQLInputValue[])) as SqlRecord[],
      );
      this.d1.exec("COMMIT");
      return results;
    } catch (error) {
      this.d1.exec("ROLLBACK");
      throw error;
    }
  }

  /** The writes of `late` faults land now. */
  applyLate(): void {
    for (const statements of this.#late.splice(0)) this.#apply(statements);
  }

  /** Moves the clock; alarms ring when due, `lateMs` too late. */
  async advance(ms: number, lateMs = 0): Promise<void> {
    const untilMs = this.nowMs + ms;
    while (this.alarmMs !== null && this.alarmMs + lateMs <= untilMs) {
      this.nowMs = Math.max(this.nowMs, this.alarmMs + lateMs);
      this.alarmMs = null;
      await this.engine.alarm();
    }
    this.nowMs = untilMs;
  }

  addJob(id: string, fields: Record<string, string | number> = {}): string {
    const row: Record<string, string | number> = {
      id,
      user_id: key.userId,
      container_group_id: key.containerGroupId,
      command: "run",
      arguments: "[]",
      environment: "{}",
      sync: "{}",
      max_failures: 3,
      heartbeat_interval: 30,
      created: this.nowMs,
      ...fields,
    };
    const names = Object.keys(row);
    this.d1
      .prepare(`INSERT INTO jobs (${names.join(", ")}) VALUES (${names.map(() => "?").join(", ")})`)
      .run(...Object.values(row));
    return id;
  }

  job(id: string): SqlRecord {
    const row = this.d1.prepare("SELECT * FROM jobs WHERE id = ?").get(id);
    if (!row) throw new Error(`no job ${id}`);
    return row as SqlRecord;
  }

  attempts(id: string): SqlRecord[] {
    return this.d1.prepare("SELECT * FROM attempts WHERE job_id = ? ORDER BY number").all(id) as SqlRecord[];
  }

  /** What the job's webhook is to be told, by number: "event/attempt". */
  outbox(id: string): string[] {
    const rows = this.d1.prepare("SELECT * FROM deliveries WHERE job_id = ? ORDER BY number").all(id);
    return rows.map(({ number, event, attempt }, at) => {
      if (number !== at + 1) throw new Error(`number ${number} in place ${at + 1}`);
      return `${event}/${attempt}`;
    });
  }

  /** The object's storage, as an earlier version of it left it. */
  get storage(): DatabaseSync {
    return this.#object;
  }

  /** Rows of the object's storage that were ever written. */
  get objectWrites(): number {
    return Number(this.#object.prepare("SELECT total_changes() AS n").get()?.n);
  }

  leases(): SqlRecord[] {
    return this.#object.prepare("SELECT * FROM leases").all() as SqlRecord[];
  }

  /** A claim by our agent; the holder it becomes, or null. */
  async claim(machineId: string, claimId = `claim-${++this.#serial}`): Promise<Held | null> {
    return heldBy(machineId, await this.engine.claim(key, { machineId, claimId }));
  }

  async renew(held: Held, told: Partial<Renewal> = {}) {
    const [answer] = await this.engine.renew(key, held.machineId, [{ ...held, ...told }]);
    return answer;
  }

  settle(held: Held, kind: SettleKind, facts: SettleFacts = {}) {
    return this.engine.settle(key, held.jobId, kind, held, facts);
  }
}

export interface Held {
  machineId: string;
  jobId: string;
  attempt: number;
  leaseToken: string;
}

export function heldBy(machineId: string, answer: ClaimAnswer): Held | null {
  if (!answer.ok || answer.job === null) return null;
  return {
    machineId,
    jobId: answer.job.id,
    attempt: answer.job.attempt,
    leaseToken: answer.lease?.token ?? "",
  };
}

/** For tests in which a claim must succeed. */
export function must<T>(value: T | null | undefined): T {
  if (value === null || value === undefined) throw new Error("expected a value");
  return value;
}

/** Whether a batch carries the write whose text contains this. */
export const writes = (statements: Statement[], text: string) =>
  statements.some(({ sql }) => sql.includes(text));

/** A world with one job, held and renewed once by machine m1. */
export async function worldWithHolder(fields: Record<string, string | number> = {}) {
  const world = new World();
  world.addJob("a", fields);
  const held = must(await world.claim("m1"));
  await world.renew(held);
  return { world, held };
}
