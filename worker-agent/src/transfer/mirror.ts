/**
 * Keeps one prefix of a bucket in step with one directory.
 *
 * Truth is what scans see, compared with what was seen before; watching the directory only brings scans forward. So
 * nothing is missed: neither what is written before watching has begun nor what is written right before the end.
 * What is due is decided by the ledger (mirror-ledger.ts). A transfer that fails stays due.
 *
 * Order: files go up one after the other, the one written first first, so that whoever writes a checkpoint and then
 * the file that points to it finds them so in the bucket. Where more files wait than `orderedTail`, the older ones go
 * up in parallel, and the order among those is not kept; the newest ones still come last, one by one.
 *
 * Where this ends: the objects of a prefix are not one snapshot. A reader may see a newer file beside an older one.
 */
import { relative, resolve, sep } from "node:path";
import type { UploadRule } from "../../../src/contract/index.ts";
import { AnnouncedUploads } from "./announced-uploads.ts";
import { deleteObject } from "./delete-object.ts";
import { underTrust } from "./effects.ts";
import { Ended, FileDisturbed, LocalFailure, Refused, transferError } from "./failures.ts";
import type { Entry } from "./mirror-entry.ts";
import { MirrorLedger } from "./mirror-ledger.ts";
import { isOwnFile, keyOf } from "./object-key.ts";
import type { ObjectStore } from "./object-store.ts";
import { patternOf, type RulePattern } from "./patterns/rule-pattern.ts";
import type { KnownFiles, Mirror, TransferContext, TransferSettings } from "./ports.ts";
import { judge } from "./retry.ts";
import { identityOf } from "./root-identity.ts";
import { ScanTimer } from "./scan-timer.ts";
import type { SharedBounds } from "./shared-bounds.ts";
import { summed } from "./summed-failures.ts";
import { uploadFile } from "./upload-file.ts";
import { type PassedOver, walk } from "./walk.ts";
import { WatchHints } from "./watch-hints.ts";

/** So many files wait for each other's arrival; beyond, waiting would cost more than the order is worth. */
const orderedTail = 8;
/** Scans of the end: one to see, one to confirm deletes; the rest for files that somebody left running still writes. */
const finalScans = 6;
/** A file that failed is given one more chance at the end. */
const finalScansWithProblems = 2;

export interface Mirrored {
  store: ObjectStore;
  bounds: SharedBounds;
  settings: TransferSettings;
  rule: UploadRule;
}

export class DirectoryMirror implements Mirror {
  readonly #store: ObjectStore;
  readonly #bounds: SharedBounds;
  readonly #rule: UploadRule;
  readonly #context: TransferContext;
  readonly #root: string;
  readonly #pattern: RulePattern;
  readonly #ledger: MirrorLedger;
  readonly #timer: ScanTimer;
  readonly #hints: WatchHints;
  readonly #abandoned = new AbortController();
  readonly #broken = new AbortController();
  readonly broken = this.#broken.signal;
  /** Ends the loop, not the transfers. */
  readonly #finishing = new AbortController();
  readonly #transfers = new Set<Promise<void>>();
  /** The next one last. */
  #uploads: Entry[] = [];
  #deletes: Entry[] = [];
  readonly #announced: AnnouncedUploads;
  #loop: Promise<void> = Promise.resolve();
  #rootIdentity: string | undefined;
  #unreadable: LocalFailure[] = [];
  /** Paths of which it was said that they are passed over. */
  readonly #told = new Set<string>();
  /** The attempt is over: its reason. */
  #ended: Ended | undefined;

  /** Resolves once watching has begun. */
  static async start(
    mirrored: Mirrored,
    known: KnownFiles,
    context: TransferContext,
  ): Promise<DirectoryMirror> {
    const mirror = new DirectoryMirror(mirrored, context);
    await mirror.#knowDownloads(known);
    mirror.#hints.follow([mirror.#root]);
    mirror.#loop = mirror.#run();
    return mirror;
  }

  private constructor({ store, bounds, settings, rule }: Mirrored, context: TransferContext) {
    this.#store = store;
    this.#bounds = bounds;
    this.#rule = rule;
    this.#context = {
      ...context,
      signal: AbortSignal.any([context.signal, this.#abandoned.signal]),
    };
    this.#announced = new AnnouncedUploads(context.observer);
    this.#root = resolve(context.workdir, rule.local_path);
    this.#pattern = patternOf(rule);
    this.#ledger = new MirrorLedger(settings);
    this.#timer = new ScanTimer(settings);
    this.#hints = new WatchHints(() => this.#timer.hint());
  }

  async finish(): Promise<void> {
    this.#finishing.abort();
    await this.#loop;
    this.#hints.close();
    try {
      await this.#finish();
    } finally {
      this.#announced.drop((entry) => !entry.busy);
    }
  }

  async abandon(): Promise<void> {
    this.#abandoned.abort(new Error("the mirror was abandoned"));
    this.#finishing.abort();
    this.#hints.close();
    await this.#loop;
    await Promise.all(this.#transfers);
    this.#announced.drop((entry) => !entry.busy);
  }

  async #knowDownloads(known: KnownFiles): Promise<void> {
    const inside = [...known].flatMap(([path, state]) => {
      const relativePath = relative(this.#root, path).replaceAll(sep, "/");
      const isInside = relativePath !== "" && !relativePath.startsWith("../") && !isOwnFile(relativePath);
      return isInside ? [{ path, relativePath, state }] : [];
    });
    for (const { path, relativePath, state } of await this.#pattern.filter(
      inside,
      (file) => file.relativePath,
    )) {
      const object = this.#store.describe(this.#keyOf(relativePath));
      this.#ledger.know(path, relativePath, state, state.object === undefined || state.object === object);
    }
  }

  async #run(): Promise<void> {
    try {
      while (!this.#finishing.signal.aborted) {
        const beganMs = performance.now();
        await this.#scan();
        this.#plan();
        await this.#timer.rest(
          performance.now() - beganMs,
          this.#ledger.nextLookMs(),
          this.#finishing.signal,
        );
      }
    } catch (failure) {
      this.#end(failure);
    }
  }

  async #finish(): Promise<void> {
    for (let scans = 1; scans <= finalScans; scans += 1) {
      this.#throwIfEnded();
      await this.#scan();
      this.#plan();
      while (this.#transfers.size > 0) await Promise.race(this.#transfers);
      this.#throwIfEnded();
      if (this.#ledger.settled) break;
      if (this.#ledger.problems.length > 0 && scans >= finalScansWithProblems) break;
    }
    const place = this.#store.describe(this.#rule.prefix);
    const unreadable = this.#unreadable.map((failure) =>
      transferError(judge(failure).fault, `upload to ${place}`, failure),
    );
    const failures = [...this.#ledger.problems, ...unreadable];
    if (failures.length > 0) throw summed(failures);
  }

  async #scan(): Promise<void> {
    this.#timer.begin();
    const began = { nowMs: performance.now(), wallMs: Date.now() };
    const found = await walk(this.#root, this.#context.signal, this.#pattern);
    this.#tellPassedOver(found?.passedOver ?? []);
    const identity = found && (await identityOf(this.#root));
    const sameRoot = this.#rootIdentity === undefined || identity === this.#rootIdentity;
    // A missing root keeps its identity in mind: what comes in its place is another one.
    this.#rootIdentity = identity ?? this.#rootIdentity;
    this.#unreadable = found?.unreadable ?? [];
    this.#hints.follow(this.#finishing.signal.aborted ? [] : (found?.directories ?? [this.#root]));
    this.#ledger.observe(found && identity ? found : undefined, { ...began, sameRoot });
    this.#announced.drop((entry) => !entry.latest && !entry.busy);
  }

  #tellPassedOver(passedOver: PassedOver[]): void {
    for (const { path, why } of passedOver) {
      if (this.#told.has(path)) continue;
      this.#told.add(path);
      this.#context.onProblem?.(`${path} is not uploaded: ${why}`);
    }
  }

  #keyOf(relativePath: string): string {
    return keyOf(this.#rule.prefix, relativePath, this.#context.compression);
  }

  /** What this scan has shown to be due; what becomes due later is for the next one, which is never far. */
  #plan(): void {
    const [nowMs, atEnd] = [performance.now(), this.#finishing.signal.aborted];
    this.#uploads = this.#ledger.due(nowMs, atEnd).reverse();
    this.#deletes = this.#ledger.deletable(nowMs, atEnd);
    for (const entry of this.#uploads.toReversed()) this.#announced.began(entry);
    this.#startTransfers();
  }

  /**
   * Takes from the lists and never looks at all files: it is called for each transfer that ends. Whatever else touches an entry
   * is a scan, which makes new lists.
   */
  #startTransfers(): void {
    if (this.#ended || this.#context.signal.aborted) return;
    for (let entry = this.#uploads.at(-1); entry; entry = this.#uploads.at(-1)) {
      const mayStart =
        this.#uploads.length > orderedTail
          ? this.#transfers.size < this.#bounds.concurrentFiles
          : this.#transfers.size === 0;
      if (!mayStart) break;
      this.#uploads.pop();
      this.#start(this.#upload(entry));
    }
    // Files that had to be up first may be by now.
    if (this.#uploads.length === 0 && this.#deletes.length === 0 && this.#transfers.size === 0)
      this.#deletes = this.#ledger.deletable(performance.now(), this.#finishing.signal.aborted);
    while (this.#deletes.length > 0 && this.#transfers.size < this.#bounds.concurrentFiles) {
      const entry = this.#deletes.pop();
      if (entry && !entry.busy) this.#start(this.#delete(entry));
    }
  }

  #start(work: Promise<void>): void {
    const transfer = work
      .catch((failure: unknown) => this.#end(failure))
      .finally(() => {
        this.#transfers.delete(transfer);
        this.#startTransfers();
        // While others are under way, a look for what has changed meanwhile can wait for its time.
        if (this.#transfers.size === 0) this.#timer.hint();
      });
    this.#transfers.add(transfer);
  }

  async #upload(entry: Entry): Promise<void> {
    const key = this.#keyOf(entry.relativePath);
    const before = entry.latest;
    this.#ledger.beginUpload(entry);
    let bytes = 0;
    try {
      const wrong = this.#store.whatIsWrongWithKey(key);
      if (wrong !== undefined) throw new Refused(`the key ${wrong}`);
      const file = { store: this.#store, path: entry.path, key };
      const uploaded = await uploadFile(this.#bounds, file, this.#context);
      bytes = uploaded.sizeBytes;
      this.#ledger.uploaded(entry, uploaded.state, before, performance.now());
    } catch (failure) {
      if (failure instanceof LocalFailure && failure.missing && failure.path === entry.path) {
        this.#ledger.vanished(entry);
      } else {
        this.#failed(entry, `upload of ${entry.path} to ${this.#store.describe(key)}`, failure);
      }
    } finally {
      this.#announced.ended(entry, bytes);
    }
  }

  async #delete(entry: Entry): Promise<void> {
    const key = this.#keyOf(entry.relativePath);
    const object = this.#store.describe(key);
    this.#ledger.beginDelete(entry);
    try {
      await this.#bounds.keys.run(object, this.#context.signal, () =>
        underTrust(this.#context, (term) => deleteObject(this.#store, this.#bounds.patience, key, term)),
      );
      this.#ledger.deleted(entry);
    } catch (failure) {
      this.#failed(entry, `delete of ${object}`, failure);
    }
  }

  #failed(entry: Entry, doing: string, failure: unknown): void {
    if (failure instanceof Ended) throw failure;
    if (this.#context.signal.aborted) throw new Ended(this.#context.signal.reason);
    const problem = transferError(judge(failure).fault, doing, failure);
    if (failure instanceof FileDisturbed) this.#ledger.disturbed(entry, problem, performance.now());
    else this.#ledger.failed(entry, problem, performance.now());
    this.#context.onProblem?.(`${problem.message}; to be tried again`);
  }

  #end(failure: unknown): void {
    const reason =
      failure instanceof LocalFailure ? transferError(judge(failure).fault, "mirror", failure) : failure;
    if (!(reason instanceof Ended) && !this.#ended)
      this.#context.onProblem?.(`the mirror to ${this.#store.describe(this.#rule.prefix)} stops: ${reason}`);
    this.#ended ??= reason instanceof Ended ? reason : new Ended(reason);
    if (!(reason instanceof Ended)) this.#broken.abort(reason);
    this.#abandoned.abort(this.#ended.reason);
  }

  #throwIfEnded(): void {
    if (this.#ended) throw this.#ended;
    if (this.#context.signal.aborted) throw new Ended(this.#context.signal.reason);
  }
}
