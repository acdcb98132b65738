/**
 * A machine: dies, freezes and wakes, loses its network. While it is frozen nothing of it runs, and what should have
 * happened happens at once when it wakes, in any order; its monotonic clock may stand still meanwhile, its wall clock
 * does not. Its clocks drift.
 */
import { type Clock, createClock } from "../../../worker-agent/src/clock.ts";
import type { Random } from "../world/random.ts";
import type { Schedule } from "../world/schedule.ts";

/** Clocks of PCs are off by parts per million; this is far beyond that, and still within the margin of trust. */
const worstDrift = 0.04;

export class Machine {
  readonly id: string;
  readonly clock: Clock;
  alive = true;
  readonly bornMs: number;
  /** Of SaladCloud, where there is one. */
  instanceId: string | undefined;
  /** Never freezes, never loses its network: there to do harm without a pause. */
  sturdy = false;
  /** Bad memory: now and then it sends other bytes than it has read, and reads others than are there. */
  flawed = false;
  #frozenAtMs: number | null = null;
  #clockStops = false;
  #stoppedMs = 0;
  #cutUntilMs = 0;
  #wellSinceMs: number;
  #inbox: (() => void)[] = [];
  readonly #schedule: Schedule;
  readonly #random: Random;

  constructor(id: string, schedule: Schedule, random: Random) {
    this.id = id;
    this.#schedule = schedule;
    this.#random = random;
    this.bornMs = schedule.nowMs;
    this.#wellSinceMs = schedule.nowMs;
    const rate = random.between(1 - worstDrift, 1 + worstDrift);
    const bootKnown = random.chance(0.5);
    this.clock = createClock({
      monotonicMs: () =>
        ((this.#frozenAtMs !== null && this.#clockStops ? this.#frozenAtMs : schedule.nowMs) -
          this.#stoppedMs) *
        rate,
      bootMs: () => (bootKnown ? schedule.nowMs * rate : undefined),
      wallMs: () => schedule.nowMs * rate,
    });
  }

  /** Now, or when it wakes; never if it dies before. */
  run(work: () => void): void {
    if (!this.alive) return;
    if (this.#frozenAtMs === null) work();
    else this.#inbox.push(work);
  }

  after(ms: number, work: () => void): void {
    this.#schedule.after(ms, () => this.run(work));
  }

  get cut(): boolean {
    return this.#schedule.nowMs < this.#cutUntilMs;
  }

  /** Since when it could have reached the API; null: it cannot. */
  wellSinceMs(): number | null {
    return this.alive && this.#frozenAtMs === null && !this.cut ? this.#wellSinceMs : null;
  }

  die(): void {
    this.alive = false;
    this.#inbox = [];
  }

  freeze(forMs: number): void {
    if (!this.alive || this.sturdy || this.#frozenAtMs !== null) return;
    this.#frozenAtMs = this.#schedule.nowMs;
    this.#clockStops = this.#random.chance(0.5);
    this.#schedule.after(forMs, () => this.wake());
  }

  wake(): void {
    if (!this.alive || this.#frozenAtMs === null) return;
    if (this.#clockStops) this.#stoppedMs += this.#schedule.nowMs - this.#frozenAtMs;
    this.#frozenAtMs = null;
    this.#wellSinceMs = Math.max(this.#schedule.nowMs, this.#cutUntilMs);
    for (const work of this.#inbox.splice(0)) {
      // Whatever came first, the order of waking is anybody's.
      this.#schedule.after(this.#random.int(0, 40), () => this.run(work));
    }
  }

  cutOff(forMs: number): void {
    if (this.sturdy) return;
    this.#cutUntilMs = Math.max(this.#cutUntilMs, this.#schedule.nowMs + forMs);
    this.#wellSinceMs = Math.max(this.#wellSinceMs, this.#cutUntilMs);
  }

  reconnect(): void {
    this.#cutUntilMs = 0;
    this.#wellSinceMs = this.#schedule.nowMs;
  }
}
