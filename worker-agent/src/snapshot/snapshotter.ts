/**
 * Cuts one directory, again and again, and sees to it that what was cut arrives.
 *
 * Newest wins: a newer cut drops one whose chunks still go up, unless the cut before that did not arrive either; then nothing
 * is cut until that one has arrived. So at least every second cut arrives, and the disk holds two of them at most.
 */
import { Ended, FileDisturbed, LocalFailure, transferError } from "../transfer/failures.ts";
import type { RulePattern } from "../transfer/patterns/rule-pattern.ts";
import type { CommandEnd, Mirror, TransferError } from "../transfer/ports.ts";
import { judge } from "../transfer/retry.ts";
import { ScanTimer } from "../transfer/scan-timer.ts";
import { summed } from "../transfer/summed-failures.ts";
import { differs, lastChangeMs } from "./changes.ts";
import { type CutDecision, type CutTimes, CutTiming } from "./cut-timing.ts";
import { Cutter } from "./cutter.ts";
import type { Knowledge } from "./knowledge.ts";
import type { SnapshotContext } from "./ports.ts";
import type { Mtimes } from "./restored.ts";
import { Sending, type SendOutcome } from "./sending.ts";
import type { Series } from "./series.ts";
import type { ChunkSizes } from "./sizes.ts";
import type { SnapshotStore } from "./snapshot-store.ts";
import { type SeenEntry, type Survey, survey } from "./survey.ts";

export interface SnapshotterSettings {
  root: string;
  realRoot: string;
  pattern: RulePattern;
  times: CutTimes;
  sizes: ChunkSizes;
  keep: number | undefined;
  series: Series;
  knowledge: Knowledge;
  mtimes: Mtimes;
  /** As the base has it. */
  entries: Map<string, SeenEntry>;
  context: SnapshotContext;
  storeIn(context: SnapshotContext): SnapshotStore;
}

/** Cuts of the end: nothing should write any more, and a file that spoils one is copied for the next. */
const finalCuts = 4;
/** Of these, the last ones take what somebody left running writes on. */
const finalQuietCuts = 3;
/** A cut that failed is not tried again at once. */
const afterFailureMs = 1000;

export class Snapshotter implements Mirror {
  readonly #settings: SnapshotterSettings;
  readonly #context: SnapshotContext;
  readonly #abandoned = new AbortController();
  readonly #broken = new AbortController();
  readonly broken = this.#broken.signal;
  /** Ends the loop, not what is on its way. */
  readonly #finishing = new AbortController();
  readonly #cutter: Cutter;
  readonly #timing: CutTiming;
  readonly #timer = new ScanTimer({ debounceMs: 0, maxWaitMs: 0 });
  readonly #loop: Promise<void>;
  readonly #told = new Set<string>();
  #looked: { entries: Survey["entries"]; atMs: number } | undefined;
  /** What the newest cut holds that is committed or on its way. */
  #newest: Survey["entries"];
  #sending: Sending | undefined;
  /** One that did not arrive is followed by one that is not dropped. */
  #lastArrived = true;
  #unreportedBytes = 0;
  #problem: TransferError | undefined;
  #ended: Ended | undefined;

  constructor(settings: SnapshotterSettings) {
    const { root, realRoot, pattern, sizes, knowledge, series, context } = settings;
    const signal = AbortSignal.any([context.signal, this.#abandoned.signal]);
    this.#settings = settings;
    this.#context = { ...context, signal };
    this.#newest = settings.entries;
    this.#timing = new CutTiming(settings.times);
    this.#cutter = new Cutter({
      root,
      realRoot,
      pattern,
      sizes,
      knowledge,
      signal,
      isStored: (sha256) => series.isStored(sha256),
      onProblem: (message) => context.onProblem?.(message),
    });
    this.#loop = this.#run();
  }

  async finish({ cutOff }: CommandEnd = { cutOff: false }): Promise<void> {
    const endedMs = Date.now();
    this.#finishing.abort();
    await this.#loop;
    try {
      this.#throwIfEnded();
      await this.#finish(cutOff ? endedMs - this.#settings.times.quietMs : undefined);
    } catch (failure) {
      throw this.#ended ?? failure;
    } finally {
      await this.#giveUp();
    }
  }

  async abandon(): Promise<void> {
    this.#finishing.abort();
    this.#abandoned.abort(new Error("the snapshots were abandoned"));
    await this.#loop;
    await this.#giveUp();
  }

  async #run(): Promise<void> {
    try {
      while (!this.#finishing.signal.aborted) {
        const beganMs = performance.now();
        const wishedMs = await this.#step();
        await this.#timer.rest(performance.now() - beganMs, wishedMs, this.#finishing.signal);
      }
    } catch (failure) {
      this.#end(failure);
    }
  }

  /** @returns when the next look is worth its while. */
  async #step(): Promise<number> {
    if (this.#sending?.ended) await this.#settle();
    if (this.#sending && !this.#sending.droppable) return Number.POSITIVE_INFINITY;
    if (performance.now() < this.#timing.notBeforeMs) return this.#timing.notBeforeMs;
    const seen = await this.#look();
    const decision: CutDecision = this.#timing.decide(performance.now());
    if ("lookAgainMs" in decision) return decision.lookAgainMs;
    if (!seen || !this.#isWhole(seen)) return performance.now() + afterFailureMs;
    return (await this.#cut(seen, decision.cut === "quiet")) ? 0 : performance.now() + afterFailureMs;
  }

  async #look(): Promise<Survey | undefined> {
    const { root, pattern, knowledge } = this.#settings;
    this.#timer.begin();
    const atMs = performance.now();
    const wallMs = Date.now();
    const seen = await survey(root, this.#context.signal, pattern);
    const entries = seen?.entries ?? new Map();
    for (const path of seen?.passedOver ?? []) this.#tell(`${path} is in no snapshot: it is no file`);
    const changedMs = lastChangeMs(entries, this.#looked?.entries ?? new Map(), wallMs);
    const sinceLookMs = this.#looked ? atMs - this.#looked.atMs : Number.POSITIVE_INFINITY;
    // The wall clock may have been set; a change lies between this look and the one before.
    const ageMs = Math.min(sinceLookMs, Math.max(0, wallMs - (changedMs ?? wallMs)));
    const isNew = seen !== undefined && this.#isWorthACut(seen) && differs(entries, this.#newest, knowledge);
    this.#timing.looked(isNew, changedMs === undefined ? undefined : atMs - ageMs, atMs);
    this.#looked = { entries, atMs };
    return seen;
  }

  /** A directory that was cleared is no newer state of what was in it: whoever clears it is about to write. */
  #isWorthACut({ entries }: Survey): boolean {
    const isBare = ![...entries.values()].some(({ type }) => type !== "directory");
    if (!isBare) return true;
    if (this.#settings.series.baseFiles > 0)
      this.#tell(`${this.#settings.root} is empty: no snapshot is taken of that, the one before stays`);
    return false;
  }

  /** What cannot be read may be what matters: without it there is no generation. */
  #isWhole({ unreadable }: Survey): boolean {
    if (unreadable.length === 0) return true;
    this.#problem = summed(unreadable.map((failure) => this.#asProblem(failure)));
    this.#tell(`${this.#problem.message}; no snapshot without it`);
    return false;
  }

  /** @returns whether a new cut is on its way. */
  async #cut(seen: Survey, quiet: boolean): Promise<boolean> {
    const takenMs = performance.now();
    let cut: Awaited<ReturnType<Cutter["take"]>>;
    try {
      cut = await this.#cutter.take(seen, quiet);
    } catch (failure) {
      if (this.#context.signal.aborted) throw new Ended(this.#context.signal.reason);
      if (!(failure instanceof FileDisturbed || failure instanceof LocalFailure)) throw failure;
      this.#problem = this.#asProblem(failure);
      // What changes while it is looked at is everyday life; the next cut will find it.
      if (!(failure instanceof FileDisturbed)) this.#tell(`${this.#problem.message}; to be tried again`);
      return false;
    }
    if (this.#sending && !this.#sending.ended && !this.#sending.droppable) {
      // The one before has got through meanwhile: it comes first.
      await cut.remove();
      return false;
    }
    if (this.#sending && !this.#sending.ended) this.#sending.drop();
    await this.#settle();
    this.#timing.cutTaken(takenMs);
    this.#newest = cut.entries;
    this.#settings.knowledge.keepOnly(cut.entries);
    this.#send(cut, this.#lastArrived, takenMs);
    return true;
  }

  #send(cut: Awaited<ReturnType<Cutter["take"]>>, mayBeDropped: boolean, takenMs: number): void {
    const { series, root, mtimes, keep, storeIn } = this.#settings;
    const { observer } = this.#context;
    observer.began("upload", root);
    const sending = new Sending(cut, mayBeDropped, {
      doing: `snapshot of ${root} to ${series.prefix}`,
      series,
      keep,
      context: this.#context,
      finishing: this.#finishing.signal,
      mtimeOf: (path, seenNs) => mtimes.of(path, seenNs),
      storeIn: (context) => storeIn({ ...this.#context, ...context }),
      onSent: (bytes) => {
        this.#unreportedBytes += bytes;
      },
    });
    this.#sending = sending;
    const ended = (outcome: SendOutcome | undefined) => {
      const committed = outcome?.kind === "committed";
      const bytesSent = this.#unreportedBytes;
      if (committed) this.#unreportedBytes = 0;
      // Bytes that went up count as a checkpoint: those of a dropped cut are told with the next one that arrives.
      observer.ended("upload", root, committed ? bytesSent : 0);
      if (committed) this.#tellCommitted(outcome.manifest.head, bytesSent, takenMs);
      this.#timer.hint();
    };
    sending.outcome.then(ended, () => ended(undefined));
  }

  #tellCommitted(
    head: { generation: number; files: number; bytes: number; quiet: boolean },
    bytesSent: number,
    takenMs: number,
  ): void {
    this.#context.onCommitted({
      prefix: this.#settings.series.prefix,
      generation: head.generation,
      files: head.files,
      bytesSent,
      bytesTotal: head.bytes,
      seconds: Math.round((performance.now() - takenMs) / 100) / 10,
      quiet: head.quiet,
    });
  }

  /** Awaits what is on its way and draws the consequences. */
  async #settle(): Promise<void> {
    const sending = this.#sending;
    if (!sending) return;
    try {
      const outcome = await sending.outcome;
      this.#lastArrived = outcome.kind === "committed" || outcome.kind === "unchanged";
      this.#problem = "problem" in outcome ? outcome.problem : undefined;
      if (this.#lastArrived) return;
      // Whatever is in the directory now has not arrived.
      this.#newest = new Map();
      if (outcome.kind !== "spoiled") return;
      if (outcome.path !== undefined) this.#cutter.restless(outcome.path);
      this.#tell(`${outcome.problem.message}: its snapshot was given up, it is copied from now on`);
      this.#timing.cutLost();
    } finally {
      this.#sending = undefined;
      await sending.cut.remove();
    }
  }

  /** `restedFromMs`: what was written since then may be half of something, and is not cut. */
  async #finish(restedFromMs: number | undefined): Promise<void> {
    for (let cuts = 1; cuts <= finalCuts; cuts += 1) {
      this.#throwIfEnded();
      this.#problem = undefined;
      const seen = await this.#look();
      if (this.#sending && (!this.#isNew(seen) || !this.#sending.droppable)) await this.#settle();
      if (!seen) this.#tell(`${this.#settings.root} is gone: the snapshot before stays`);
      if (!this.#isNew(seen)) break;
      if (restedFromMs !== undefined && this.#changedSince(restedFromMs, seen)) {
        this.#tell("the command was cut off while it may have been writing: the snapshot before stays");
        await this.#settle();
        break;
      }
      if (this.#isWhole(seen)) await this.#cut(seen, cuts <= finalQuietCuts);
      await this.#settle();
      if (this.#failedFor("storage")) break;
    }
    this.#throwIfEnded();
    if (this.#problem) throw this.#problem;
  }

  /** Whether anything that the newest cut does not hold was written later than that, by the wall clock. */
  #changedSince(wallMs: number, { entries }: Survey): boolean {
    const changedMs = lastChangeMs(entries, this.#newest, Date.now());
    return changedMs !== undefined && changedMs > wallMs;
  }

  #failedFor(fault: TransferError["fault"]): boolean {
    return this.#problem?.fault === fault;
  }

  #isNew(seen: Survey | undefined): seen is Survey {
    if (!seen || !this.#isWorthACut(seen)) return false;
    return differs(seen.entries, this.#newest, this.#settings.knowledge) || seen.unreadable.length > 0;
  }

  async #giveUp(): Promise<void> {
    this.#abandoned.abort(new Error("the snapshots are over"));
    await this.#settle().catch(() => undefined); // what ended it is known to whoever asked for the end
  }

  #asProblem(failure: Error): TransferError {
    const { root, series } = this.#settings;
    return transferError(judge(failure).fault, `snapshot of ${root} to ${series.prefix}`, failure);
  }

  #tell(message: string): void {
    if (this.#told.has(message)) return;
    this.#told.add(message);
    this.#context.onProblem?.(message);
  }

  #end(failure: unknown): void {
    const reason = failure instanceof LocalFailure ? this.#asProblem(failure) : failure;
    this.#ended ??= reason instanceof Ended ? reason : new Ended(reason);
    if (!(reason instanceof Ended)) this.#broken.abort(reason);
  }

  #throwIfEnded(): void {
    if (this.#ended) throw this.#ended;
    if (this.#context.signal.aborted) throw new Ended(this.#context.signal.reason);
  }
}
