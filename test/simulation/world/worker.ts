/** The Worker: each request, and each pass of the storage sweep, is a life of its own, over D1 and the bucket. */
import { storageSweep } from "../../../src/cron/storage/sweep.ts";
import type { StoragePorts } from "../../../src/storage/ports.ts";
import { minute } from "../scenario.ts";
import type { SimulatedBucket } from "./bucket.ts";
import type { Caller, SimulatedD1 } from "./d1.ts";
import type { Faults } from "./faults.ts";
import type { Schedule } from "./schedule.ts";

export class Worker {
  readonly #world: { schedule: Schedule; faults: Faults; d1: SimulatedD1; bucket: SimulatedBucket };
  readonly #heard: (event: { event: string; jobId?: string | undefined; detail?: string }) => void;
  #serial = 0;

  constructor(
    world: { schedule: Schedule; faults: Faults; d1: SimulatedD1; bucket: SimulatedBucket },
    heard: (event: { event: string; jobId?: string | undefined; detail?: string }) => void,
  ) {
    this.#world = world;
    this.#heard = heard;
  }

  /** Of one request. If it dies, what it waits for never comes. */
  request(): StoragePorts {
    const { schedule, d1, bucket } = this.#world;
    const caller: Caller & { alive: boolean } = {
      alive: true,
      crash() {
        this.alive = false;
      },
    };
    return {
      d1: { batch: (statements) => d1.send(caller, statements) },
      bucket: bucket.port(caller),
      nowMs: () => Math.floor(schedule.nowMs),
      operationId: () => `request-${++this.#serial}`,
      log: (event) => this.#heard(event),
    };
  }

  /** A pass that fails or lasts does not keep the next from beginning. */
  sweepEachMinute(): void {
    const { schedule, faults } = this.#world;
    schedule.after(minute, () => {
      this.sweepEachMinute();
      if (schedule.nowMs < faults.outageUntilMs) return;
      schedule.touched = true;
      void storageSweep(this.request()).then((report) => {
        for (const [what, count] of Object.entries(report)) {
          for (let i = 0; i < count; i++) faults.count(`swept ${what}`);
        }
      });
    });
  }
}
