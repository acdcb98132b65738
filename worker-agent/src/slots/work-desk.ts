/**
 * Hands out jobs to the slots of one agent. However many are free, one of them at a time looks for work, so that an idle agent
 * polls and waits like one with a single slot; once it has a job, the next one looks. What keeps the whole agent from claiming
 * is decided here: pauses after faults of the node, and leases enough held already (running jobs and uploads together).
 */
import { type ClaimSettings, type NextJob, nextJob } from "../claims.ts";
import type { Clock, Mark } from "../clock.ts";

export interface WorkDeskSettings extends Omit<ClaimSettings, "closed" | "idleSince"> {
  clock: Clock;
  slots: number;
  /** Leases held at once: each costs disk space, and a node whose uploads lag further behind should not take more work. */
  leasesMax: number;
}

export class WorkDesk {
  readonly #settings: WorkDeskSettings;
  #turn: Promise<void> = Promise.resolve();
  #slots: number;
  #waiting = 0;
  #idleSince: Mark | undefined;
  #closedDown = false;
  #held = 0;
  #settled = Promise.withResolvers<void>();
  readonly #pauses = new Set<Promise<unknown>>();

  constructor(settings: WorkDeskSettings) {
    this.#settings = settings;
    this.#slots = settings.slots;
  }

  /** Whether there was no work for as long as configured. */
  get isIdle(): boolean {
    return this.#closedDown;
  }

  /** Waits for a job for one slot. Each job given out is told of again by `settled`. */
  async next(): Promise<NextJob> {
    this.#waiting += 1;
    this.#noteIdleness();
    const before = this.#turn;
    const mine = Promise.withResolvers<void>();
    this.#turn = mine.promise;
    try {
      await before;
      if (this.#closedDown) return { kind: "idle" };
      const closed = () => this.#closed();
      const next = await nextJob({ ...this.#settings, closed, idleSince: () => this.#idleSince });
      if (next.kind === "job") this.#held += 1;
      if (next.kind === "idle") {
        this.#closedDown = true;
        const { config, log } = this.#settings;
        log.info("no work for as long as configured", { seconds: config.maxIdleMs / 1000 });
      }
      return next;
    } finally {
      this.#waiting -= 1;
      this.#idleSince = undefined;
      this.#noteIdleness();
      mine.resolve();
    }
  }

  /** The lease of a job that was given out is held no more. */
  settled(): void {
    this.#held -= 1;
    this.#settled.resolve();
    this.#settled = Promise.withResolvers<void>();
  }

  /** No slot claims until this is over. */
  pauseClaims(pause: Promise<unknown>): void {
    this.#pauses.add(pause);
    void pause.finally(() => this.#pauses.delete(pause));
  }

  /** A slot asks for no more jobs. */
  leave(): void {
    this.#slots -= 1;
    this.#noteIdleness();
  }

  #noteIdleness(): void {
    const idle = this.#slots > 0 && this.#waiting === this.#slots;
    if (idle) this.#idleSince ??= this.#settings.clock.mark();
  }

  /** Until when nothing may be claimed; undefined: now. */
  #closed(): Promise<unknown> | undefined {
    const waits = [...this.#pauses];
    if (this.#held >= this.#settings.leasesMax) waits.push(this.#settled.promise);
    if (waits.length === 0) return undefined;
    return Promise.all(waits).then(() => {
      // Who may not look for work has not found that there is none.
      if (this.#idleSince) this.#idleSince = this.#settings.clock.mark();
    });
  }
}
