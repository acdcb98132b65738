/**
 * Moves: another node (reallocate), or another container on this one (recreate). What asks for one, and the only place that carries one out:
 *
 *   wished → claims stop → what runs and uploads comes to its end → no other agent lives in this container → the call
 *   → SIGTERM within a bounded time; or, refused or unanswered, claims go on
 *
 * No job is ever lost by a move: claims stop first (WorkSignals.hold), one under way is waited for with the job it may bring, and the call
 * comes last. A refused reallocation is not wished again for hours: a node that is given back is gone for 48, and an organization's
 * reallocations are rationed. An agent that is told to stop makes no move any more.
 */
import type { Clock, Mark } from "../clock.ts";
import type { Config } from "../config.ts";
import type { Log } from "../log.ts";
import { pause, unlessAborted } from "../pause.ts";
import type { WorkSignals } from "../socket/work-signals.ts";
import type { Timings } from "../timings.ts";
import type { Imds, ImdsAnswer } from "./imds.ts";

export interface MoveSettings {
  imds: Imds;
  presence: { readonly isThere: boolean; readonly known: Promise<void> };
  residents: { ifAlone(run: () => Promise<void>): Promise<boolean> };
  signals: WorkSignals;
  config: Pick<Config, "maxJobFailures" | "recreateBetweenJobs">;
  clock: Clock;
  log: Log;
  timings: Pick<
    Timings,
    "moveWaitMs" | "idleMoveWaitMs" | "moveDoubtMs" | "reallocateAgainFirstMs" | "reallocateAgainCapMs"
  >;
}

/** How a job ended here, as far as this node may be to blame. `failed`: its command ran and failed. */
export type JobOutcome = "completed" | "failed" | "other";

type Move = { kind: "reallocate"; reason: string; waitMs: number } | { kind: "recreate"; waitMs: number };

export class Moves {
  readonly #settings: MoveSettings;
  #wished: Move | undefined;
  #wish = new AbortController();
  /** Failures in a row. */
  #failures = 0;
  /** No reallocation is wished before so long after that moment. */
  #refused: { at: Mark; forMs: number } | undefined;
  #refusals = 0;
  #carrying: Promise<void> | undefined;

  constructor(settings: MoveSettings) {
    this.#settings = settings;
  }

  /** A command has ended here: the next job may want a fresh container. */
  commandEnded(): void {
    const { config, timings } = this.#settings;
    if (config.recreateBetweenJobs && this.#wished === undefined)
      this.#wishFor({ kind: "recreate", waitMs: timings.moveWaitMs });
  }

  /** The end of a job has been reported. */
  jobEnded(outcome: JobOutcome): void {
    const { maxJobFailures } = this.#settings.config;
    if (outcome === "completed") this.#failures = 0;
    if (outcome !== "failed") return;
    this.#failures++;
    if (maxJobFailures > 0 && this.#failures >= maxJobFailures) {
      const reason = `${this.#failures} jobs in a row failed on this node`;
      this.#failures = 0;
      this.reallocate(reason);
    }
  }

  /** Wishes for another node, where that is possible at all. */
  reallocate(reason: string): void {
    const { presence } = this.#settings;
    if (presence.isThere) this.#wishForNode(reason);
    else void presence.known.then(() => this.#wishForNode(reason));
  }

  /** There was no work for long: asks for another node and waits a while for this one to go. Nothing may run any more. */
  async leaveIdle(reason: string, signal: AbortSignal): Promise<void> {
    const { presence, timings } = this.#settings;
    if (!presence.isThere || signal.aborted) return;
    this.#wished = { kind: "reallocate", reason, waitMs: timings.idleMoveWaitMs };
    await this.#carryOut(signal);
  }

  /** Carries out what is wished; runs until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { signals } = this.#settings;
    while (!signal.aborted) {
      this.#wish = new AbortController();
      if (!this.#wished) {
        await pause(idleMs, AbortSignal.any([signal, this.#wish.signal]));
        continue;
      }
      // One that was wished while the one before was carried out finds claims going on.
      signals.hold();
      await unlessAborted(signals.atRest(), signal);
      if (signal.aborted) return;
      await this.#carryOut(signal);
      if (!this.#wished) signals.goOn();
    }
  }

  #wishForNode(reason: string): void {
    const { log, presence, timings } = this.#settings;
    if (!presence.isThere) {
      log.debug("no metadata service to ask for another node", { reason });
      return;
    }
    if (this.#refused && this.#refused.at.elapsedMs() < this.#refused.forMs) {
      log.info("another node is wanted, but was refused lately", { reason });
      return;
    }
    if (this.#wished?.kind === "reallocate") return;
    log.info("another node is wanted: claiming no more", { reason });
    this.#wishFor({ kind: "reallocate", reason, waitMs: timings.moveWaitMs });
  }

  #wishFor(move: Move): void {
    const { presence, signals } = this.#settings;
    if (!presence.isThere) return;
    this.#wished = move;
    signals.hold();
    this.#wish.abort();
  }

  /** One at a time. */
  async #carryOut(signal: AbortSignal): Promise<void> {
    await this.#carrying;
    this.#carrying = this.#ask(signal);
    await this.#carrying;
  }

  async #ask(signal: AbortSignal): Promise<void> {
    const move = this.#wished;
    this.#wished = undefined;
    if (!move || signal.aborted) return;
    const { log, residents, timings } = this.#settings;
    const reason = move.kind === "reallocate" ? move.reason : undefined;
    const isAlone = await residents.ifAlone(async () => {
      const answer = await this.#call(move);
      if (answer.ok) {
        log.info(`asked SaladCloud to ${move.kind}`, { reason });
        // Whoever claims now would lose what it claims.
        if (!(await pause(move.waitMs, signal))) return;
      } else if (mayBeApplied(answer.status)) {
        if (!(await pause(timings.moveDoubtMs, signal))) return;
      }
      this.#notMoved(move, answer.ok ? "this container is still here" : answer.message);
    });
    if (!isAlone) this.#notMoved(move, "other agents live in this container");
  }

  #call(move: Move): Promise<ImdsAnswer<undefined>> {
    const { imds } = this.#settings;
    return move.kind === "reallocate" ? imds.reallocate(move.reason) : imds.recreate();
  }

  #notMoved({ kind }: Move, reason: string): void {
    const { clock, log, timings } = this.#settings;
    log.warn(`no ${kind}, going on here`, { reason });
    if (kind !== "reallocate") return;
    const { reallocateAgainFirstMs, reallocateAgainCapMs } = timings;
    const forMs = Math.min(reallocateAgainFirstMs * 2 ** this.#refusals, reallocateAgainCapMs);
    this.#refused = { at: clock.mark(), forMs };
    this.#refusals++;
  }
}

/** No answer; or 404 for a container that is gone already, after an answer that was lost. */
function mayBeApplied(status: number | undefined): boolean {
  return status === undefined || status === 404 || status >= 500;
}

const idleMs = 3_600_000;
