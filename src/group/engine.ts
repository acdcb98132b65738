/**
 * The engine of one container group: every operation of the lease protocol (docs/leases.md) over the ports it is
 * given. The Durable Object is a shell around it; the simulation runs this very class.
 */
import { heldIntervals } from "../domain/lease.ts";
import { afterEnd } from "./after-end.ts";
import { nextAlarmMs, onAlarm } from "./alarm.ts";
import { cancel, purge } from "./cancel.ts";
import { claim, isHeld } from "./claim.ts";
import { ClosedJobs } from "./closed-jobs.ts";
import { type GroupContext, openRetryMs } from "./context.ts";
import { GrantHold } from "./grant-hold.ts";
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
/** However many jobs come: so often it is told that nobody is there to take them. */
const unattendedEveryMs = 20_000;

export class Engine implements protocol.GroupApi {
  readonly #ctx: GroupContext;
  readonly #ports: Ports;
  /** What the alarm is known to be set to in this life; null: not known. */
  #alarmMs: number | null = null;
  /** When it was last told that nobody takes the jobs that come. */
  #unattendedToldMs = Number.NEGATIVE_INFINITY;
  /** Jobs that came while all idle agents were held: their wakes reached nobody. */
  #addedInHold = 0;
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
      hold: new GrantHold(ports.sql),
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

  /** `sockets`: those that the object keeps, if any. */
  async jobsAdded(
    key: protocol.GroupKey,
    priority: number,
    count = 1,
    sockets: () => protocol.SocketSeen[] = () => [],
  ): Promise<protocol.AddedAnswer> {
    this.#ctx.head.noteAdded(priority);
    this.#ports.agents?.wake(count);
    const nowMs = this.#ports.nowMs();
    if (this.#ctx.hold.choosing(nowMs) !== null) this.#addedInHold += count;
    if (nowMs - this.#unattendedToldMs < unattendedEveryMs) return { unattended: false };
    const unattended = await this.#isUnattended(key, nowMs, sockets);
    if (unattended) this.#unattendedToldMs = nowMs;
    return { unattended };
  }

  async holdGrants(
    _key: protocol.GroupKey,
    operationId: string,
    untilMs: number,
    step?: protocol.HeldStep,
  ): Promise<protocol.HoldAnswer> {
    const { hold, rows, ports } = this.#ctx;
    const nowMs = ports.nowMs();
    const earlier = hold.choosing(nowMs);
    if (step !== undefined && earlier?.operationId !== operationId) return { ok: false };
    hold.choose(operationId, untilMs, nowMs, step);
    const busy = rows.machinesBusy();
    const unnamed = busy.get(null) ?? 0;
    const busyMachineIds = [...busy.keys()].filter((id) => id !== null);
    const earlierStep = earlier === null || earlier.operationId === operationId ? null : earlier.step;
    const lastGrantMs = rows.lastGrantMs();
    const lastGrantMsAgo = lastGrantMs === null ? null : nowMs - lastGrantMs;
    return { ok: true, busyMachineIds, unnamed, lastGrantMsAgo, step: earlierStep };
  }

  async grantHold(_key: protocol.GroupKey): Promise<protocol.HoldNow | null> {
    const choosing = this.#ctx.hold.choosing(this.#ports.nowMs());
    return choosing === null ? null : { operationId: choosing.operationId, step: choosing.step };
  }

  async narrowHold(
    _key: protocol.GroupKey,
    operationId: string,
    { instances, untilMs }: { instances: protocol.DoomedInstance[]; untilMs: number },
    pending: number,
  ): Promise<boolean> {
    const narrowed = this.#ctx.hold.narrow(operationId, instances, untilMs, this.#ports.nowMs());
    if (!narrowed) return false;
    const waiting = pending + this.#addedInHold;
    this.#addedInHold = 0;
    if (waiting > 0) this.#ports.agents?.wake(waiting);
    return true;
  }

  /** Whether a claim of that agent would not be refused for a hold. */
  mayClaim(agent: { machineId: string; instanceId: string | null }): boolean {
    return !isHeld(this.#ctx, agent);
  }

  async #isUnattended(key: protocol.GroupKey, nowMs: number, sockets: () => protocol.SocketSeen[]) {
    const { polls, rows, hold } = this.#ctx;
    if (!hold.isOn(nowMs)) return !polls.any(nowMs) && rows.countHeld() === 0 && sockets().length === 0;
    const { agents } = await this.status(key, sockets());
    return agents.every(({ state }) => state === "draining");
  }

  async paused(_key: protocol.GroupKey): Promise<void> {
    this.#ctx.head.invalidate();
  }

  async resumed(
    key: protocol.GroupKey,
    available: number,
    sockets: () => protocol.SocketSeen[] = () => [],
  ): Promise<protocol.AddedAnswer> {
    this.#ctx.head.invalidate();
    if (available === 0) return { unattended: false };
    this.#ports.agents?.wake(available);
    return { unattended: await this.#isUnattended(key, this.#ports.nowMs(), sockets) };
  }

  /** `sockets`: those that the object keeps, if any. */
  async status(_key: protocol.GroupKey, sockets: protocol.SocketSeen[] = []): Promise<protocol.GroupNow> {
    const { polls, hold, ports } = this.#ctx;
    const nowMs = ports.nowMs();
    const seen = this.#agents(sockets);
    const agents = hold.isOn(nowMs)
      ? seen.map((agent): protocol.AgentStatus => {
          const refused = hold.refuses(agent, () => agent.jobs.length > 0, nowMs);
          return refused ? { ...agent, state: "draining" } : agent;
        })
      : seen;
    return { watchedSinceMs: polls.sinceMs, nowMs, agents };
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
