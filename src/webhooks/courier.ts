/**
 * The first try, right after the transition, from the group's object. Few at a time: the object's connections are those of its leases
 * first. Whatever it does not get to, or a crash takes along, is due in D1 and the cron's.
 */
import { type LeasedDelivery, leaseNewOf } from "../db/webhooks/leases.ts";
import { Down } from "./down.ts";
import type { WebhookPorts } from "./ports.ts";
import { leaseMs, sendLeased } from "./send.ts";

/** Jobs that wait for their turn; more are the cron's. */
const maxWaiting = 100;
const perRound = 20;
/** Of the six connections that the object has, D1 gets the others. */
const atOnce = 2;
/** Receivers that were down are the cron's for so long. */
const downMs = 60_000;

export class Courier {
  readonly #ports: WebhookPorts;
  readonly #waiting = new Set<string>();
  #down = new Down();
  #downSinceMs = 0;
  #running: Promise<void> | null = null;

  constructor(ports: WebhookPorts) {
    this.#ports = ports;
  }

  /** The outbox may have news of this job. */
  written(jobId: string): void {
    if (this.#waiting.size >= maxWaiting) return;
    this.#waiting.add(jobId);
    this.#running ??= this.#run().finally(() => {
      this.#running = null;
    });
  }

  /** Settles once it has nothing more to do. Never rejects. */
  async idle(): Promise<void> {
    while (this.#running) await this.#running;
  }

  async #run(): Promise<void> {
    // Whoever writes several in one step has them sent together.
    await Promise.resolve();
    try {
      while (this.#waiting.size > 0) await this.#round();
    } catch (error) {
      // D1 has trouble: the cron asks again in a minute.
      this.#waiting.clear();
      this.#ports.log({ severity: "warning", event: "deliveries_unknown", detail: String(error) });
    }
  }

  async #round(): Promise<void> {
    const jobIds = [...this.#waiting].slice(0, perRound);
    for (const jobId of jobIds) this.#waiting.delete(jobId);
    const ports = this.#ports;
    const nowMs = ports.nowMs();
    if (nowMs - this.#downSinceMs > downMs) {
      this.#down = new Down();
      this.#downSinceMs = nowMs;
    }
    const opId = ports.operationId();
    const lease = leaseNewOf(jobIds, opId, nowMs, nowMs + leaseMs, perRound);
    const [leased] = (await ports.d1.batch([lease])) as unknown as [LeasedDelivery[]];
    leased.sort((one, other) => one.seq - other.seq);
    await sendLeased(ports, leased, { opId, atOnce, down: this.#down, untriedMs: downMs });
  }
}
