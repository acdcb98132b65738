/**
 * The Durable Object of one container group of one user: the shell that gives the engine its ports. All of the lease
 * protocol is in engine.ts and the files beside it.
 */
import { DurableObject } from "cloudflare:workers";
import { d1Port } from "../db/prepare.ts";
import { Courier } from "../webhooks/courier.ts";
import { webhookPorts } from "../webhooks/worker-ports.ts";
import { Engine } from "./engine.ts";
import type { SqlValue } from "./ports.ts";
import type * as protocol from "./protocol.ts";
import { Sockets } from "./sockets.ts";

export class ContainerGroup extends DurableObject<Env> implements protocol.GroupApi, protocol.AgentsApi {
  readonly #engine: Engine;
  readonly #sockets: Sockets;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    const { storage } = ctx;
    this.#sockets = new Sockets(ctx, (agent) => this.#engine.mayClaim(agent));
    this.#engine = new Engine({
      d1: d1Port(env.DB),
      sql: { exec: (sql, ...params: SqlValue[]) => storage.sql.exec(sql, ...params).toArray() },
      alarm: {
        set: (atMs) => {
          // Becomes durable with the rows that were written in this step.
          void storage.setAlarm(atMs);
        },
        clear: () => {
          void storage.deleteAlarm();
        },
      },
      agents: this.#sockets,
      outbox: new Courier(webhookPorts(env)),
      nowMs: () => Date.now(),
      operationId: () => crypto.randomUUID(),
      leaseToken: () => randomToken(),
      log: (event) => console.log(JSON.stringify({ ...event, group: ctx.id.name ?? ctx.id.toString() })),
    });
  }

  claim(key: protocol.GroupKey, request: protocol.ClaimRequest) {
    return this.#engine.claim(key, request);
  }

  renew(key: protocol.GroupKey, machineId: string, leases: protocol.Renewal[]) {
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

  jobsAdded(key: protocol.GroupKey, priority: number, count?: number) {
    return this.#engine.jobsAdded(key, priority, count, () => this.#sockets.seen());
  }

  holdGrants(key: protocol.GroupKey, operationId: string, untilMs: number, step?: protocol.HeldStep) {
    return this.#engine.holdGrants(key, operationId, untilMs, step);
  }

  grantHold(key: protocol.GroupKey) {
    return this.#engine.grantHold(key);
  }

  narrowHold(
    key: protocol.GroupKey,
    operationId: string,
    doomed: { instances: protocol.DoomedInstance[]; untilMs: number },
    pending: number,
  ) {
    return this.#engine.narrowHold(key, operationId, doomed, pending);
  }

  paused(key: protocol.GroupKey) {
    return this.#engine.paused(key);
  }

  resumed(key: protocol.GroupKey, available: number) {
    return this.#engine.resumed(key, available, () => this.#sockets.seen());
  }

  status(key: protocol.GroupKey) {
    return this.#engine.status(key, this.#sockets.seen());
  }

  reconcile(key: protocol.GroupKey, running: protocol.RunningJob[]) {
    return this.#engine.reconcile(key, running);
  }

  badMachines(key: protocol.GroupKey) {
    return this.#engine.badMachines(key, this.#sockets.seen());
  }

  reallocated(key: protocol.GroupKey, machineId: string) {
    return this.#engine.reallocated(key, machineId);
  }

  drain(machineIds: string[]) {
    return this.#sockets.drain(machineIds);
  }

  resume(machineIds: string[]) {
    return this.#sockets.resume(machineIds);
  }

  /** Only agents' sockets come this way, and only from the API's own route (address.ts). */
  override fetch(request: Request): Response {
    return this.#sockets.accept(request);
  }

  override webSocketMessage(socket: WebSocket, text: string | ArrayBuffer): void {
    this.#sockets.heard(socket, text);
  }

  override webSocketClose(socket: WebSocket): void {
    this.#sockets.closed(socket);
  }

  override webSocketError(socket: WebSocket): void {
    this.#sockets.closed(socket);
  }

  override async alarm(): Promise<void> {
    await this.#engine.alarm();
  }
}

/** 192 bits, in base64 that is safe in URLs and headers. */
function randomToken(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(24));
  return btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_");
}
