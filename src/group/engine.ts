/**
 * The engine of one container group: every operation of the lease protocol (docs/leases.md) over the ports it is
 * given. The Durable Object is a shell around it; the simulation runs this very class.
 */
import { heldIntervals } from "../domain/lease.ts";
import { afterEnd } from "./after-end.ts";
import { nextAlarmMs, onAlarm } from "./alarm.ts";
import { cancel, purge } from "./cancel.ts";
import { claim } from "./claim.ts";
import { ClosedJobs } from "./closed-jobs.ts";
import { type GroupContext, openRetryMs } from "./context.ts";
import { Intents } from "./intents.ts";
import { LeaseRows } from "./lease-rows.ts";
import { Machines } from "./machines.ts";
import { Polls } from "./polls.ts";
import type { Ports } from "./ports.ts";
import type * as protocol from "./protocol.ts";
import { QueueHead } from "./queue-head.ts";
import { stillHere } from "./reallocate.ts";
import { reconcile } from "./reconcile.ts";
import { renew } from "./renew.ts";
import { settle } from "./settle.ts";
import { agentsOf } from "./status.ts";

/** Rings again even if the handler dies before it has computed when to. */
const fallbackAlarmMs = 30_000;

export class Engine implements protocol.GroupApi {
  readonly #ctx: GroupContext;
  readonly #ports: Ports;
  /** What the alarm is known to be set to in this life; null: not known. */
  #alarmMs: number | null = null;
  /** Claims under way by claim id: a repeat joins instead of taking a second job. */
  readonly #claims = new Map<string, Promise<protocol.ClaimAnswer>>();

  constructor(ports: Ports) {
    const rows = new LeaseRows(ports.sql);
    this.#ports = ports;
    this.#ctx = {
      ports,
      rows,
      machines: new Machines(ports.sql),
      closed: new ClosedJobs(ports.sql),
      intents: new Intents(ports, rows, (ended) => afterEnd(this.#ctx, ended)),
      head: new QueueHead(ports.d1, ports.nowMs),
      polls: new Polls(ports.nowMs()),
      armAlarm: (atMs) => this.#armAlarm(atMs),
    };
    // What an earlier life left open is looked at soon; and a lost alarm comes back.
    const dueMs = nextAlarmMs(this.#ctx);
    if (dueMs !== null) this.#armAlarm(rows.open().length > 0 ? ports.nowMs() : dueMs);
  }

  async claim(key: protocol.GroupKey, request: protocol.ClaimRequest): Promise<protocol.ClaimAnswer> {
    const { claimId } = request;
    if (claimId === undefined) return this.#claim(key, request);
    const joined = `${request.machineId}\n${claimId}`;
    const underWay = this.#claims.get(joined);
    if (underWay) return underWay;
    const work = this.#claim(key, request).finally(() => this.#claims.delete(joined));
    this.#claims.set(joined, work);
    return work;
  }

  async #claim(key: protocol.GroupKey, request: protocol.ClaimRequest): Promise<protocol.ClaimAnswer> {
    try {
      return await claim(this.#ctx, key, request);
    } catch (error) {
      // Only the read of the queue's head rejects: nothing was written.
      this.#ports.log({ severity: "warning", event: "claim_unknown", detail: `head: ${error}` });
      return { ok: false, reason: "unavailable" };
    }
  }

  async renew(
    key: protocol.GroupKey,
    machineId: string,
    leases: protocol.Renewal[],
  ): Promise<protocol.RenewAnswer[]> {
    return renew(this.#ctx, key, machineId, leases);
  }

  async settle(
    key: protocol.GroupKey,
    jobId: string,
    kind: protocol.SettleKind,
    holder: protocol.HolderClaim,
    facts: protocol.SettleFacts,
  ): Promise<protocol.SettleAnswer> {
    return settle(this.#ctx, key, { jobId, kind, holder, facts });
  }

  async cancel(key: protocol.GroupKey, jobId: string): Promise<protocol.CancelAnswer> {
    return cancel(this.#ctx, key, jobId);
  }

  async purge(key: protocol.GroupKey): Promise<protocol.PurgeAnswer> {
    return purge(this.#ctx, key);
  }

  async live(_key: protocol.GroupKey, jobId: string): Promise<protocol.LiveLease | null> {
    const row = this.#ctx.rows.get(jobId);
    if (row?.phase !== "held" || row.renewedMs === null) return null;
    return {
      attempt: row.attempt,
      heartbeat: row.renewedMs,
      numHeartbeats: row.baseHeartbeats + heldIntervals(row),
      progress: row.hints?.progress ?? null,
    };
  }

  async jobsAdded(_key: protocol.GroupKey, priority: number, count = 1): Promise<void> {
    this.#ctx.head.noteAdded(priority);
    this.#ports.agents?.wake(count);
  }

  async paused(_key: protocol.GroupKey): Promise<void> {
    this.#ctx.head.invalidate();
  }

  async resumed(_key: protocol.GroupKey, available: number): Promise<void> {
    this.#ctx.head.invalidate();
    if (available > 0) this.#ports.agents?.wake(available);
  }

  /** `sockets`: those that the object keeps, if any. */
  async status(_key: protocol.GroupKey, sockets: protocol.SocketSeen[] = []): Promise<protocol.GroupNow> {
    const { polls, ports } = this.#ctx;
    return { watchedSinceMs: polls.sinceMs, nowMs: ports.nowMs(), agents: this.#agents(sockets) };
  }

  async badMachines(
    _key: protocol.GroupKey,
    sockets: protocol.SocketSeen[] = [],
  ): Promise<protocol.BadMachine[]> {
    return stillHere(this.#ctx, this.#agents(sockets));
  }

  async reallocated(_key: protocol.GroupKey, machineId: string): Promise<void> {
    this.#ctx.machines.reallocated(machineId, this.#ports.nowMs());
  }

  #agents(sockets: protocol.SocketSeen[]): protocol.AgentStatus[] {
    const { polls, rows, ports } = this.#ctx;
    return agentsOf({ polls: polls.recent(ports.nowMs()), leases: rows.held(), sockets });
  }

  async reconcile(_key: protocol.GroupKey, running: protocol.RunningJob[]): Promise<protocol.Mended> {
    return reconcile(this.#ctx, running);
  }

  /** Never rejects. */
  async alarm(): Promise<void> {
    // The next one first: whatever happens below, the group is looked at again.
    this.#setAlarm(this.#ports.nowMs() + fallbackAlarmMs);
    let notBeforeMs = 0;
    try {
      await onAlarm(this.#ctx);
    } catch (error) {
      this.#ports.log({ severity: "error", event: "alarm_failed", detail: String(error) });
      // What failed is still due: do not spin on it.
      notBeforeMs = this.#ports.nowMs() + openRetryMs;
    }
    const nextMs = nextAlarmMs(this.#ctx);
    if (nextMs !== null) {
      this.#setAlarm(Math.max(nextMs, this.#ports.nowMs(), notBeforeMs));
    } else {
      this.#alarmMs = null;
      this.#ports.alarm.clear();
    }
  }

  #armAlarm(atMs: number): void {
    if (this.#alarmMs !== null && this.#alarmMs <= atMs) return;
    this.#setAlarm(atMs);
  }

  #setAlarm(atMs: number): void {
    this.#alarmMs = atMs;
    this.#ports.alarm.set(atMs);
  }
}
