/**
 * Operations between the object and D1, which share no transaction (rule 1): intent on the row, then D1, then the row.
 *
 * A fenced write that hits nothing, or an error, leaves open what happened (rule 3): the write may have been applied
 * and its answer lost, or be applied later. So D1 is read back, by operation id and by (attempt, end). What stays
 * unknown keeps its row, which bars every other grant of the job, until the alarm asks again.
 */

import type { RefusalReason } from "../contract/index.ts";
import type { D1Port } from "../db/d1-port.ts";
import { jobFromRecord, type SqlRecord } from "../db/job-record.ts";
import { type ClaimWrite, claimJob, readJob } from "../db/leases/claim.ts";
import { type EndWrite, endAttempt, readStanding, type Standing } from "../db/leases/end.ts";
import type { JobRow } from "../db/schema.ts";
import { leaseTermSeconds, oldWorkerTermMs, provisionalMs } from "../domain/lease.ts";
import type { LeaseRow } from "./lease-row.ts";
import type { LeaseRows } from "./lease-rows.ts";
import type { Ports } from "./ports.ts";
import { SharedBatches } from "./shared-batches.ts";

export type ClaimOutcome =
  | { kind: "granted"; job: JobRow }
  /** D1 did not give it: gone, ended, banned, or changed. Try another. */
  | { kind: "refused" }
  /** Nor any other of this group, for now. */
  | { kind: "paused" }
  | { kind: "unknown" };

export type EndOutcome =
  /** `repeat`: this end had been recorded before. */
  { kind: "applied"; repeat: boolean } | { kind: "refused"; reason: RefusalReason } | { kind: "unknown" };

/** What became of a job when an operation ended its attempt, as far as D1 has said. */
export interface Ended {
  write: EndWrite;
  /** Null: the write was applied earlier, and only read back. */
  job: { status: JobRow["status"]; availableMs: number } | null;
}

export class Intents {
  readonly #ports: Ports;
  readonly #rows: LeaseRows;
  readonly #onEnded: (ended: Ended) => void;
  /** For the first try of each operation; what reads back, and what repeats, goes alone. */
  readonly #together: D1Port;
  /** Operations of this life of the object that are under way, by job: others await them instead of guessing. */
  readonly #underWay = new Map<string, Promise<unknown>>();

  /** `onEnded`: told of each end that D1 has recorded, once its row is gone. */
  constructor(ports: Ports, rows: LeaseRows, onEnded: (ended: Ended) => void) {
    this.#ports = ports;
    this.#rows = rows;
    this.#onEnded = onEnded;
    this.#together = new SharedBatches(ports.d1);
  }

  isUnderWay(jobId: string): boolean {
    return this.#underWay.has(jobId);
  }

  /** Waits until the job's row has no open intent, resolving one that an earlier life left; false: still unknown. */
  async settled(jobId: string): Promise<boolean> {
    const running = this.#underWay.get(jobId);
    if (running) await running;
    const row = this.#rows.get(jobId);
    if (!row || row.phase === "held") return true;
    if (this.#underWay.has(jobId)) return this.settled(jobId);
    await this.resolve(row);
    return this.#rows.get(jobId)?.opId !== row.opId || this.#rows.get(jobId)?.phase === "held";
  }

  /** Carries an intent that was left open to its end. Never rejects. */
  async resolve(row: LeaseRow): Promise<void> {
    if (row.phase === "ending" && row.ending) {
      await this.end([row.ending]);
    } else if (row.phase === "claiming") {
      await this.#track([row.jobId], () => this.#resolveClaim(row));
    }
  }

  /** Writes a claim whose intent row (`claiming`) has been inserted in this very step. Never rejects. */
  claim(row: LeaseRow, nowMs: number, node: ClaimWrite["node"]): Promise<ClaimOutcome> {
    return this.#track([row.jobId], () => this.#claim(row, nowMs, node));
  }

  /** Ends attempts whose rows are `ending`; one D1 batch for all. Outcomes in order. Never rejects. */
  end(writes: EndWrite[]): Promise<EndOutcome[]> {
    return this.#track(
      writes.map((write) => write.jobId),
      () => this.#end(writes),
    );
  }

  async #claim(row: LeaseRow, nowMs: number, node: ClaimWrite["node"]): Promise<ClaimOutcome> {
    const write: ClaimWrite = {
      opId: row.opId,
      jobId: row.jobId,
      attempt: row.attempt,
      machineId: row.machineId ?? "",
      instanceId: row.instanceId,
      nowMs,
      webhook: row.webhook !== false,
      node,
    };
    let failed: string | undefined;
    try {
      const [updated] = await this.#together.batch(claimJob(write));
      const record = updated?.[0];
      if (record) return this.#granted(row, record);
    } catch (error) {
      failed = String(error);
    }
    return this.#readBackClaim(row, failed);
  }

  async #readBackClaim(row: LeaseRow, failed: string | undefined): Promise<ClaimOutcome> {
    let paused = false;
    try {
      const [records] = await this.#ports.d1.batch([readJob(row.jobId)]);
      const record = records?.[0];
      if (record && record.last_op === row.opId) return this.#granted(row, record);
      paused = record?.paused === 1;
    } catch (error) {
      this.#ports.log({
        severity: "warning",
        event: "claim_unknown",
        jobId: row.jobId,
        attempt: row.attempt,
        detail: `${failed ?? "0 rows"}; read back: ${error}`,
      });
      return { kind: "unknown" };
    }
    // After an error the write may still be on its way. It cannot hurt: the next grant has a higher number, and its
    // fence refuses a lower one. If it lands before that, the sweep adopts it and it expires.
    if (failed !== undefined) this.#rows.raiseAttemptFloor(row.jobId, row.attempt, this.#ports.nowMs());
    this.#rows.remove(row.jobId, row.opId);
    if (failed !== undefined) return { kind: "unknown" };
    return { kind: paused ? "paused" : "refused" };
  }

  async #resolveClaim(row: LeaseRow): Promise<void> {
    const outcome = await this.#readBackClaim(row, "left open");
    this.#ports.log({
      severity: "info",
      event: "intent_resolved",
      jobId: row.jobId,
      attempt: row.attempt,
      detail: `claim: ${outcome.kind}`,
    });
  }

  #granted(row: LeaseRow, record: SqlRecord): ClaimOutcome {
    const job = jobFromRecord(record);
    const nowMs = this.#ports.nowMs();
    const byToken = row.token !== null;
    const termMs = byToken
      ? leaseTermSeconds(job.heartbeatInterval) * 1000
      : oldWorkerTermMs(job.heartbeatInterval);
    const confirmed = this.#rows.confirm(row.jobId, row.opId, {
      intervalMs: job.heartbeatInterval * 1000,
      termMs,
      baseHeartbeats: job.numHeartbeats,
      nowMs,
      expiresMs: nowMs + (byToken ? provisionalMs : termMs),
      acknowledgedMs: byToken ? null : nowMs,
    });
    if (row.webhook !== false) this.#ports.outbox?.written(row.jobId);
    return confirmed ? { kind: "granted", job } : { kind: "unknown" };
  }

  async #end(writes: EndWrite[]): Promise<EndOutcome[]> {
    const batches = writes.map(endAttempt);
    let results: SqlRecord[][] = [];
    let failed: string | undefined;
    try {
      results = await this.#together.batch(batches.flat());
    } catch (error) {
      failed = String(error);
    }
    const outcomes: EndOutcome[] = [];
    let at = 0;
    for (const [i, write] of writes.entries()) {
      const updated: SqlRecord | undefined = failed === undefined ? results[at]?.[0] : undefined;
      at += batches[i]?.length ?? 0;
      const outcome: EndOutcome = updated
        ? { kind: "applied", repeat: false }
        : await this.#readBackEnd(write, failed);
      if (outcome.kind !== "unknown") this.#rows.remove(write.jobId, write.opId);
      if (outcome.kind === "applied") {
        const job = updated && {
          status: updated.status as JobRow["status"],
          availableMs: updated.available_at as number,
        };
        this.#onEnded({ write, job: job ?? null });
      }
      outcomes.push(outcome);
    }
    return outcomes;
  }

  async #readBackEnd(write: EndWrite, failed: string | undefined): Promise<EndOutcome> {
    try {
      let standing = await this.#standing(write);
      if (standing && stillOpen(standing, write)) {
        // Not applied so far. Repeating it is safe: the same operation passes the fence once.
        const [updated] = await this.#ports.d1.batch(endAttempt(write));
        if (updated && updated.length > 0) return { kind: "applied", repeat: false };
        standing = await this.#standing(write);
        if (standing && stillOpen(standing, write)) return { kind: "unknown" };
      }
      return judgeEnd(standing, write);
    } catch (error) {
      this.#ports.log({
        severity: "warning",
        event: "end_unknown",
        jobId: write.jobId,
        attempt: write.attempt,
        detail: `${write.kind}: ${failed ?? "0 rows"}; read back: ${error}`,
      });
      return { kind: "unknown" };
    }
  }

  async #standing(write: EndWrite): Promise<Standing | undefined> {
    const [records] = await this.#ports.d1.batch([readStanding(write.jobId, write.machineId, write.attempt)]);
    return records?.[0] as Standing | undefined;
  }

  /** Registers before it starts: whatever the work's first step sets off finds it under way. */
  #track<T>(jobIds: string[], work: () => Promise<T>): Promise<T> {
    const tracked = Promise.resolve()
      .then(work)
      .finally(() => {
        for (const jobId of jobIds) {
          if (this.#underWay.get(jobId) === tracked) this.#underWay.delete(jobId);
        }
      });
    for (const jobId of jobIds) this.#underWay.set(jobId, tracked);
    return tracked;
  }
}

/** Whether the fence of `endAttempt` would let the write through. */
function stillOpen(standing: Standing, write: EndWrite): boolean {
  if (standing.attempt !== write.attempt) return false;
  if (write.kind === "canceled") return standing.status === "running" || standing.status === "pending";
  return standing.status === (write.attempt === 0 ? "pending" : "running");
}

/** What a read-back says of an end that hit no row. */
export function judgeEnd(standing: Standing | undefined, write: EndWrite): EndOutcome {
  if (!standing) return { kind: "refused", reason: "unknown_job" };
  if (standing.last_op === write.opId || standing.its_end_op === write.opId) {
    return { kind: "applied", repeat: false };
  }
  if (write.attempt > 0 && standing.its_end === write.kind) return { kind: "applied", repeat: true };
  return { kind: "refused", reason: refusalOf(standing) };
}

/** Why an attempt that is not the current one may do nothing. */
export function refusalOf(standing: Standing): RefusalReason {
  if (standing.status === "pending" || standing.status === "running") return "superseded";
  return standing.status;
}
