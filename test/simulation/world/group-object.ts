/**
 * The group's Durable Object: the shipped engine, its storage, its alarm. It lives until it crashes, and comes back with
 * the next call or alarm. What one step writes is durable together, so a crash can only fall between steps.
 */
import { Engine } from "../../../src/group/engine.ts";
import type { AgentsPort } from "../../../src/group/ports.ts";
import type { Caller, SimulatedD1 } from "./d1.ts";
import { Database } from "./database.ts";
import type { Faults } from "./faults.ts";
import type { Random } from "./random.ts";
import type { Schedule } from "./schedule.ts";

export interface ObjectWatcher {
  /** A new, empty storage: its tables exist by now. */
  storageIsNew(storage: Database): void;
  crashed(storageLost: boolean): void;
  alarmRang(): void;
  event(event: { event: string; jobId?: string; detail?: string }): void;
}

interface Life extends Caller {
  alive: boolean;
  engine: Engine;
  /** Callers that wait for an answer, told when this life ends. */
  waiting: Set<() => void>;
  alarmRuns: boolean;
}

export class GroupObject {
  alarmMs: number | null = null;
  /** The alarm is lost, and nobody has come since: only a new life sets another. */
  alarmLost = false;
  engineLives = 0;
  readonly #schedule: Schedule;
  readonly #faults: Faults;
  readonly #random: Random;
  readonly #d1: SimulatedD1;
  readonly #watcher: ObjectWatcher;
  readonly #agents: AgentsPort;
  #storage = new Database();
  #storageKnown = false;
  #alarmVersion = 0;
  #life: Life | null = null;
  #serial = 0;

  constructor(world: {
    schedule: Schedule;
    faults: Faults;
    random: Random;
    d1: SimulatedD1;
    watcher: ObjectWatcher;
    agents: AgentsPort;
  }) {
    this.#schedule = world.schedule;
    this.#faults = world.faults;
    this.#random = world.random;
    this.#d1 = world.d1;
    this.#watcher = world.watcher;
    this.#agents = world.agents;
  }

  get storage(): Database {
    return this.#storage;
  }

  get alarmRuns(): boolean {
    return this.#life?.alarmRuns ?? false;
  }

  /** Calls the engine now. `answered` gets its answer, or null: the object died first. */
  call<T>(
    work: (engine: Engine) => Promise<T>,
    answered: (answer: T | null) => void,
    threw: (error: unknown) => void,
  ): void {
    const life = this.#alive();
    const died = () => answered(null);
    life.waiting.add(died);
    this.#schedule.touched = true;
    work(life.engine).then(
      (answer) => {
        if (life.waiting.delete(died)) answered(answer);
      },
      (error) => {
        if (life.waiting.delete(died)) threw(error);
      },
    );
  }

  /** Memory is gone; storage is not, unless that too is lost. */
  crash(storageLost = false): void {
    const life = this.#life;
    this.#life = null;
    if (life) {
      life.alive = false;
      // The runtime rings again for a handler that did not come to its end.
      if (life.alarmRuns && !storageLost) this.#ringAgain();
      for (const died of [...life.waiting]) died();
      life.waiting.clear();
    }
    if (storageLost) {
      this.#storage.close();
      this.#storage = new Database();
      this.#storageKnown = false;
      this.alarmMs = null;
      this.#alarmVersion++;
    }
    this.#watcher.crashed(storageLost);
  }

  #alive(): Life {
    if (this.#life) return this.#life;
    const storage = this.#storage;
    const life = {
      alive: true,
      waiting: new Set<() => void>(),
      alarmRuns: false,
      crash: () => this.#crashOf(life),
    } as Life;
    this.#life = life;
    this.engineLives++;
    life.engine = new Engine({
      d1: { batch: (statements) => this.#d1.send(life, statements) },
      sql: { exec: (sql, ...params) => storage.all(sql, params) },
      alarm: {
        set: (atMs) => this.#setAlarm(atMs),
        clear: () => {
          this.alarmMs = null;
          this.#alarmVersion++;
        },
      },
      nowMs: () => Math.floor(this.#schedule.nowMs),
      operationId: () => `op-${++this.#serial}`,
      leaseToken: () => `token-${++this.#serial}`,
      agents: this.#agents,
      log: (event) => this.#watcher.event(event),
    });
    this.alarmLost = false;
    if (!this.#storageKnown) {
      this.#storageKnown = true;
      this.#watcher.storageIsNew(storage);
    }
    return life;
  }

  #crashOf(life: Life): void {
    if (life.alive) this.crash();
  }

  #setAlarm(atMs: number): void {
    this.alarmMs = atMs;
    this.alarmLost = false;
    const version = ++this.#alarmVersion;
    this.#schedule.at(atMs, () => this.#due(version));
  }

  #due(version: number): void {
    if (version !== this.#alarmVersion || this.alarmMs === null) return;
    const { outageUntilMs } = this.#faults;
    if (outageUntilMs > this.#schedule.nowMs) {
      this.#schedule.at(outageUntilMs, () => this.#due(version));
      return;
    }
    // One handler at a time.
    if (this.#life?.alarmRuns) {
      this.#schedule.after(50, () => this.#due(version));
      return;
    }
    const fault = this.#faults.ofAlarm();
    if (fault?.kind === "late") {
      this.#schedule.after(fault.lateMs, () => this.#due(version));
      return;
    }
    if (fault?.kind === "lost") {
      // Alarms get lost with the machine that was to ring them, so the object goes with it.
      this.alarmMs = null;
      this.alarmLost = true;
      this.crash();
      return;
    }
    this.#ring();
    if (fault?.kind === "doubled") this.#ringAgain();
  }

  #ringAgain(): void {
    this.#schedule.after(this.#random.logBetween(1, 5_000), () => {
      if (!this.#life?.alarmRuns) this.#ring();
    });
  }

  #ring(): void {
    this.alarmMs = null;
    this.#watcher.alarmRang();
    const life = this.#alive();
    life.alarmRuns = true;
    this.#schedule.touched = true;
    void life.engine.alarm().then(() => {
      life.alarmRuns = false;
    });
  }
}
