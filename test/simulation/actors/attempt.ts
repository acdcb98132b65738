/**
 * One attempt on our agent, as worker-agent runs it: its trust is the shipped Trust on the machine's clocks. Effects only
 * under trust; the command runs on without; the end is reported until somebody answers.
 */
import type { SettleKind } from "../../../src/group/protocol.ts";
import { Trust } from "../../../worker-agent/src/lease/trust.ts";
import type { Holder } from "../judge/holder.ts";
import { hour, second } from "../scenario.ts";
import { Command } from "./command.ts";
import type { Machine } from "./machine.ts";
import { Snapshots } from "./snapshots.ts";
import type { Surroundings } from "./surroundings.ts";

/** The shipped timers run in real time; here trust is looked at whenever it matters. */
const neverTicksMs = 2_000_000_000;
const callTimeoutMs = 10 * second;

/** A command that fails, one that was stopped for getting nowhere, one that took too long. */
const badEnds: readonly SettleKind[] = ["failed", "stalled", "failed", "timed_out"];

export interface Granted {
  jobId: string;
  attempt: number;
  token: string;
  termMs: number;
  claimId: string;
}

export class Attempt implements Holder {
  readonly name: string;
  readonly jobId: string;
  readonly attempt: number;
  readonly token: string;
  readonly claimId: string;
  readonly trust: Trust;
  termMs: number;
  progress = 0;
  over = false;
  readonly #world: Surroundings;
  readonly #machine: Machine;
  #command: Command | undefined;
  readonly #onOver: () => void;
  #reporting = false;

  constructor(world: Surroundings, machine: Machine, granted: Granted, fails: boolean, onOver: () => void) {
    this.#world = world;
    this.#machine = machine;
    this.#onOver = onOver;
    this.name = `${machine.id} ${granted.claimId}`;
    this.jobId = granted.jobId;
    this.attempt = granted.attempt;
    this.token = granted.token;
    this.claimId = granted.claimId;
    this.termMs = granted.termMs;
    this.trust = new Trust({ clock: machine.clock, tickMs: neverTicksMs, maxUntrustedMs: hour });
    world.judge.began(this);
    if (world.storage.work(this.jobId).managed) {
      void this.#resume(new Snapshots(world, machine, this), fails);
      return;
    }
    const startMs = world.pace?.commandStartMs(machine);
    if (startMs === undefined) this.#startCommand(fails);
    else machine.after(startMs, () => this.#startCommand(fails));
  }

  get commandStarted(): boolean {
    return this.#command !== undefined;
  }

  #startCommand(fails: boolean): void {
    if (this.over || this.#reporting) return;
    this.#command = new Command(this.#world, this.#machine, this.jobId, fails, {
      checkpoint: (doneMs) => {
        this.progress++;
        this.#upload(doneMs, () => undefined);
      },
      exited: (failed, doneMs) => {
        if (failed) this.report(this.#badEnd());
        else this.#upload(doneMs, () => this.report("completed"));
      },
    });
  }

  /** Never silently from zero. */
  async #resume(snapshots: Snapshots, fails: boolean): Promise<void> {
    const resumed = await snapshots.resume();
    if (this.over || this.#reporting) return;
    if (resumed.kind === "lost") this.report("failed");
    else if (resumed.kind === "give back") this.report("released");
    else {
      const events = {
        checkpoint: (doneMs: number) => snapshots.cut(doneMs, () => undefined),
        exited: (failed: boolean, doneMs: number) => {
          if (failed) this.report(this.#badEnd());
          else snapshots.cut(doneMs, () => this.report("completed"));
        },
      };
      this.#command = new Command(this.#world, this.#machine, this.jobId, fails, events, resumed.doneMs);
    }
  }

  /** How it goes badly. Without chance, so that it costs no other its draw. */
  #badEnd(): SettleKind {
    const turn = (this.attempt + this.jobId.charCodeAt(this.jobId.length - 1)) % badEnds.length;
    return badEnds[turn] ?? "failed";
  }

  /** Whether it would cause effects now. Once it reports, all of its effects are behind it. */
  trusts(): boolean {
    if (this.over || this.#reporting) return false;
    // Looks at the clocks first; whether it resolves is of no interest here.
    this.trust.ready().then(ignore, ignore);
    return !this.trust.signal.aborted;
  }

  /** Nothing is begun any more: it is over, or reports. */
  get quiet(): boolean {
    return this.over || this.#reporting;
  }

  /** An hour without trust is enough; what it has to report it goes on reporting. */
  givenUp(): boolean {
    return !this.trusts() && !this.#reporting && this.trust.ended.aborted;
  }

  wellSinceMs(): number | null {
    return this.over ? null : this.#machine.wellSinceMs();
  }

  /** An upload of everything so far: begins under trust, is aborted when trust lapses, is tried again. */
  #upload(doneMs: number, landed: () => void): void {
    if (this.over) return;
    const again = () =>
      this.#machine.after(this.#world.random.between(2, 5) * second, () => this.#upload(doneMs, landed));
    if (!this.trusts()) {
      this.#world.judge.refused("upload withheld");
      if (this.trust.ended.aborted) this.drop();
      else again();
      return;
    }
    this.#world.judge.uploadBegan(this);
    const { signal } = this.trust;
    const { pace, random } = this.#world;
    this.#machine.after(pace?.uploadMs(this.#machine) ?? random.logBetween(20, 8 * second), () => {
      if (this.over) return;
      this.trusts();
      if (signal.aborted) {
        this.#world.judge.refused("upload aborted");
        again();
        return;
      }
      this.#world.storage.landed(this.jobId, doneMs);
      landed();
    });
  }

  /** Until it is answered with anything but "ask again"; renewed meanwhile. */
  report(kind: SettleKind): void {
    if (this.over || this.#reporting) return;
    this.#reporting = true;
    this.#command?.stop();
    this.#world.judge.reports(this.jobId, this.attempt, kind);
    this.#sendReport(kind, 0);
  }

  #sendReport(kind: SettleKind, tries: number): void {
    if (this.over) return;
    const { network, judge, key, random } = this.#world;
    const { jobId, attempt, token, claimId } = this;
    const machineId = this.#machine.id;
    network.send({
      from: this.#machine,
      timeoutMs: callTimeoutMs,
      work: (engine) => engine.settle(key, jobId, kind, { machineId, attempt, leaseToken: token }, {}),
      answered: (answer, startedMs) =>
        judge.settled({ startedMs, jobId, machineId, attempt, stranger: false, claimId, kind }, answer),
      done: (answer) => {
        if (answer === null || (!answer.ok && answer.reason === "unavailable")) {
          const pauseMs = Math.min(10 * second, 500 * 2 ** tries) * random.between(0.5, 1);
          this.#machine.after(pauseMs, () => this.#sendReport(kind, tries + 1));
          return;
        }
        if (!answer.ok) judge.refused("report refused");
        this.drop();
      },
    });
  }

  /** Told that the lease is gone, or nothing is left to do. */
  drop(): void {
    if (this.over) return;
    this.over = true;
    this.#command?.stop();
    this.trust.end("over");
    this.#world.judge.over(this);
    this.#onOver();
  }
}

function ignore(): void {}
