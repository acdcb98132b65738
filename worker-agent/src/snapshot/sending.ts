/**
 * One cut on its way: tried until it is committed, dropped for a newer one, or found to be impossible. It can be dropped as
 * long as its chunks go up; once they are there, the commit is carried to its end, so that it is never in doubt which
 * generation the next one builds on.
 */

import { backoffMs, pause } from "../pause.ts";
import { Ended, transferError } from "../transfer/failures.ts";
import type { TransferContext, TransferError } from "../transfer/ports.ts";
import { judge } from "../transfer/retry.ts";
import type { Cut } from "./cut.ts";
import { CutSpoiled, type SendSettings, sendCut } from "./send-cut.ts";
import type { SnapshotStore } from "./snapshot-store.ts";
import type { WrittenManifest } from "./write-manifest.ts";

export type SendOutcome =
  | { kind: "committed"; manifest: WrittenManifest }
  /** The base says the same already. */
  | { kind: "unchanged" }
  | { kind: "dropped" }
  | { kind: "spoiled"; path: string | undefined; problem: TransferError }
  | { kind: "failed"; problem: TransferError };

const retryFirstMs = 1000;
const retryCapMs = 60_000;
/** At the end there is nothing newer to wait for: one more chance, beyond the tries of each request. */
const triesAtEnd = 2;

export interface SendingSettings extends Omit<SendSettings, "onComplete" | "store"> {
  /** The storage as it is used until the context's signal aborts. */
  storeIn(context: TransferContext): SnapshotStore;
  /** What is done, in words. */
  doing: string;
  /** Aborts when nothing newer will come. */
  finishing: AbortSignal;
}

export class Sending {
  readonly cut: Cut;
  readonly outcome: Promise<SendOutcome>;
  /** Set once it has one. */
  ended: SendOutcome | undefined;
  readonly #settings: SendingSettings;
  readonly #dropped = new AbortController();
  readonly #mayBeDropped: boolean;
  #complete = false;

  constructor(cut: Cut, mayBeDropped: boolean, settings: SendingSettings) {
    this.cut = cut;
    this.#mayBeDropped = mayBeDropped;
    this.#settings = settings;
    this.outcome = this.#run().then((outcome) => {
      this.ended = outcome;
      return outcome;
    });
    this.outcome.catch(() => {}); // awaited by whoever ends it
  }

  get droppable(): boolean {
    return this.#mayBeDropped && !this.#complete && !this.ended;
  }

  drop(): void {
    this.#dropped.abort(new Error("a newer cut is ready"));
  }

  async #run(): Promise<SendOutcome> {
    const { context, finishing } = this.#settings;
    const signal = AbortSignal.any([context.signal, this.#dropped.signal]);
    for (let failures = 1; ; failures += 1) {
      const failed = await this.#try({ ...context, signal });
      if (!("problem" in failed) || failed.kind === "spoiled") return failed;
      const { problem } = failed;
      if (problem.fault === "config" || (finishing.aborted && failures >= triesAtEnd)) return failed;
      context.onProblem?.(`${problem.message}; to be tried again`);
      const waitMs = backoffMs(failures, retryFirstMs, retryCapMs);
      await pause(waitMs, finishing.aborted ? signal : AbortSignal.any([signal, finishing]));
    }
  }

  async #try(context: TransferContext): Promise<SendOutcome> {
    const onComplete = () => {
      this.#complete = true;
    };
    try {
      const store = this.#settings.storeIn(context);
      const manifest = await sendCut(this.cut, { ...this.#settings, store, context, onComplete });
      return manifest ? { kind: "committed", manifest } : { kind: "unchanged" };
    } catch (failure) {
      const outer = this.#settings.context.signal;
      if (outer.aborted) throw new Ended(outer.reason);
      if (this.#dropped.signal.aborted) return { kind: "dropped" };
      if (failure instanceof Ended) throw failure;
      if (failure instanceof CutSpoiled)
        return { kind: "spoiled", path: failure.path, problem: this.#problem("config", failure) };
      return { kind: "failed", problem: this.#problem(judge(failure).fault, failure) };
    }
  }

  #problem(fault: TransferError["fault"], failure: unknown): TransferError {
    return transferError(fault, this.#settings.doing, failure);
  }
}
