/**
 * A world for what sends webhooks: Node's SQLite with the shipped migrations as D1, receivers that answer as told, and a clock that moves
 * when told. The SQL and the code are the shipped ones.
 */
import { readdirSync, readFileSync } from "node:fs";
import { DatabaseSync, type SQLInputValue } from "node:sqlite";
import type { SqlRecord } from "../../src/db/job-record.ts";
import type { Statement } from "../../src/db/statement.ts";
import type { Answer } from "../../src/domain/webhook.ts";
import { deliverDue } from "../../src/webhooks/pass.ts";
import type { WebhookEvent, WebhookPorts, WebhookRequest } from "../../src/webhooks/ports.ts";

const migrationsDir = new URL("../../migrations/", import.meta.url);

export const answered = (status: number, said = ""): Answer => ({ kind: "answered", status, said });
export const minuteMs = 60_000;
/** What a time-out takes. */
const timeoutMs = 10_000;

export class World {
  nowMs = 1_700_000_000_000;
  readonly startMs = this.nowMs;
  readonly d1 = new DatabaseSync(":memory:");
  readonly posts: (WebhookRequest & { atMs: number })[] = [];
  readonly events: WebhookEvent[] = [];
  /** What the receiver at that URL answers. */
  receive: (request: WebhookRequest) => Answer | Promise<Answer> = () => answered(200);
  /** Asked before each batch: D1 fails, or applies it and its answer is lost. */
  faultOf: (statements: Statement[]) => "refused" | "answer-lost" | undefined = () => undefined;
  #serial = 0;
  #random = 0.5;
  readonly ports: WebhookPorts;

  constructor(overrides: Partial<WebhookPorts> = {}) {
    for (const file of readdirSync(migrationsDir).filter((name) => name.endsWith(".sql"))) {
      this.d1.exec(readFileSync(new URL(file, migrationsDir), "utf8"));
    }
    this.ports = {
      d1: { batch: (statements) => this.#batch(statements) },
      post: async (request) => {
        this.posts.push({ ...request, atMs: this.nowMs });
        const answer = await this.receive(request);
        // Five hang side by side; for these tests it is enough that hanging takes time.
        if (answer.kind === "timed_out") this.nowMs += timeoutMs / 5;
        return answer;
      },
      nowMs: () => this.nowMs,
      random: () => this.#random,
      operationId: () => `op-${++this.#serial}`,
      signingKey: "signing-key-of-the-tests",
      privateAllowed: false,
      log: (event) => this.events.push(event),
      ...overrides,
    };
  }

  async #batch(statements: Statement[]): Promise<SqlRecord[][]> {
    // D1 is never reached in the step that calls it.
    await Promise.resolve();
    const fault = this.faultOf(statements);
    if (fault === "refused") throw new Error("D1 is overloaded");
    this.d1.exec("BEGIN");
    const results = statements.map(
      ({ sql, params }) => this.d1.prepare(sql).all(...(params as SQLInputValue[])) as SqlRecord[],
    );
    this.d1.exec("COMMIT");
    if (fault === "answer-lost") throw new Error("D1: connection lost");
    return results;
  }

  /** An event in the outbox, as a transition leaves it. Its `seq`. */
  add(fields: Record<string, string | number | null> = {}): number {
    const serial = ++this.#serial;
    const row: Record<string, string | number | null> = {
      id: `msg_${serial}`,
      user_id: "user-1",
      job_id: `job-${serial}`,
      number: 1,
      event: "completed",
      url: "https://receiver.test/hook",
      attempt: 1,
      machine_id: "m1",
      container_group_id: "group-1",
      created: this.nowMs,
      op: `op-of-${serial}`,
      due: this.nowMs,
      ...fields,
    };
    const names = Object.keys(row);
    const { lastInsertRowid } = this.d1
      .prepare(`INSERT INTO deliveries (${names.join(", ")}) VALUES (${names.map(() => "?").join(", ")})`)
      .run(...Object.values(row));
    return Number(lastInsertRowid);
  }

  row(seq: number): SqlRecord {
    return this.d1.prepare("SELECT * FROM deliveries WHERE seq = ?").get(seq) as SqlRecord;
  }

  count(where: string): number {
    return Number(this.d1.prepare(`SELECT COUNT(*) AS n FROM deliveries WHERE ${where}`).get()?.n);
  }

  postsTo(host: string): number {
    return this.posts.filter(({ url }) => new URL(url).host === host).length;
  }

  pass() {
    return deliverDue(this.ports);
  }

  /** The cron, each minute, until `ms` have passed. */
  async passMinutes(ms: number): Promise<void> {
    const untilMs = this.nowMs + ms;
    while (this.nowMs < untilMs) {
      this.nowMs += minuteMs;
      await this.pass();
    }
  }
}
