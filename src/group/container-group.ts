/**
 * The Durable Object of one container group of one user: the shell that gives the engine its ports. All of the lease
 * protocol is in engine.ts and the files beside it.
 */
import { DurableObject } from "cloudflare:workers";
import type { Statement } from "../db/statement.ts";
import { Engine } from "./engine.ts";
import type { SqlValue } from "./ports.ts";
import type * as protocol from "./protocol.ts";

const dueKey = "alarm_due_ms";

export class ContainerGroup extends DurableObject<Env> implements protocol.GroupApi {
  readonly #engine: Engine;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    const { storage } = ctx;
    this.#engine = new Engine({
      d1: { batch: (statements) => runBatch(env.DB, statements) },
      sql: { exec: (sql, ...params: SqlValue[]) => storage.sql.exec(sql, ...params).toArray() },
      alarm: {
        set: (atMs) => {
          // Both become durable with the rows that were written in this step, or none does.
          storage.kv.put(dueKey, atMs);
          void storage.setAlarm(atMs);
        },
        clear: () => {
          storage.kv.delete(dueKey);
          void storage.deleteAlarm();
        },
      },
      nowMs: () => Date.now(),
      operationId: () => crypto.randomUUID(),
      leaseToken: () => randomToken(),
      log: (event) => console.log(JSON.stringify({ ...event, group: ctx.id.name ?? ctx.id.toString() })),
    });
  }

  claim(key: protocol.GroupKey, request: protocol.ClaimRequest) {
    return this.#engine.claim(key, request);
  }

  renew(
    key: protocol.GroupKey,
    machineId: string,
    leases: { jobId: string; attempt?: number; leaseToken?: string }[],
  ) {
    return this.#engine.renew(key, machineId, leases);
  }

  settle(
    key: protocol.GroupKey,
    jobId: string,
    kind: protocol.SettleKind,
    holder: protocol.HolderClaim,
    facts: protocol.SettleFacts,
  ) {
    return this.#engine.settle(key, jobId, kind, holder, facts);
  }

  cancel(key: protocol.GroupKey, jobId: string) {
    return this.#engine.cancel(key, jobId);
  }

  purge(key: protocol.GroupKey) {
    return this.#engine.purge(key);
  }

  live(key: protocol.GroupKey, jobId: string) {
    return this.#engine.live(key, jobId);
  }

  jobsAdded(key: protocol.GroupKey, priority: number) {
    return this.#engine.jobsAdded(key, priority);
  }

  reconcile(key: protocol.GroupKey, running: protocol.RunningJob[]) {
    return this.#engine.reconcile(key, running);
  }

  override async alarm(): Promise<void> {
    await this.#engine.alarm(this.ctx.storage.kv.get<number>(dueKey) ?? null);
  }
}

async function runBatch(db: D1Database, statements: Statement[]): Promise<Record<string, unknown>[][]> {
  const results = await db.batch<Record<string, unknown>>(
    statements.map(({ sql, params }) => db.prepare(sql).bind(...params)),
  );
  return results.map((result) => result.results);
}

/** 192 bits, in base64 that is safe in URLs and headers. */
function randomToken(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(24));
  return btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_");
}
