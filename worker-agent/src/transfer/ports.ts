/**
 * What the transfer layer offers to an attempt, and what it needs from it. An attempt owns the lease and decides
 * when effects may be caused; the transfer layer owns bytes, retries and order. Neither reads the environment.
 */
import type { DownloadRule, UploadRule } from "../../../src/contract/index.ts";
import type { Blame } from "./blame.ts";
import type { S3Settings } from "./stores/s3/s3-client.ts";

/**
 * The right to cause effects (design.md, lease protocol, rule 6). Every upload and delete asks it first and is aborted
 * by it.
 */
export interface EffectGate {
  /** Resolves when effects may be caused; waits while trust has lapsed; rejects once the attempt is superseded. */
  ready(): Promise<void>;
  /** Aborts when trust lapses or the attempt is superseded; after `ready()` resolves again it is a fresh signal. */
  readonly signal: AbortSignal;
  /** The API says that the attempt's lease is gone for good; `reason` is its word for why. */
  end(reason: string): void;
}

/** The lease under which managed storage is used; one object per attempt. */
export interface TransferLease {
  readonly jobId: string;
  readonly attempt: number;
  readonly token: string;
}

/** Watches transfers as they begin and end: feeds the state file and the attempt's byte counts. */
export interface TransferObserver {
  began(direction: "download" | "upload", localPath: string): void;
  /** `bytes`: what went over the wire for this file, 0 when it failed. Called once for each `began`. */
  ended(direction: "download" | "upload", localPath: string, bytes: number): void;
}

/** One problem that outlived all retries, in words fit for a person: which file, which key, why. */
export class TransferError extends Error {
  override readonly name = "TransferError";
  /** What to blame (blame.ts): `storage` and `node` release the attempt, `config` fails it. */
  readonly fault: Blame;
  constructor(fault: Blame, message: string, options?: ErrorOptions) {
    super(message, options);
    this.fault = fault;
  }
}

export interface TransferContext {
  gate: EffectGate;
  /** Shown with every call about managed storage. */
  lease: TransferLease;
  observer: TransferObserver;
  /** Ends every transfer: the attempt is over, whatever the gate says. */
  signal: AbortSignal;
  /** Gzip on upload (key + ".gz"), expand keys ending in ".gz" on download. */
  compression: boolean;
  /** The command's working directory: relative `local_path`s start here. */
  workdir: string;
  /** Told of trouble that is not yet an error: an upload that will be tried again. Words fit for a log. */
  onProblem?(message: string): void;
}

/** A file as it was when its content was last known to equal the object. */
export interface KnownFile {
  sizeBytes: number;
  mtimeNs: bigint;
  /** Moves with every write and cannot be set, unlike the mtime (`cp -p`, `touch -d`). */
  ctimeNs: bigint;
  inode: bigint;
  /**
   * "<bucket>/<key>" it was downloaded from. A mirror never deletes another object than this one on behalf of a
   * file that it has not uploaded itself.
   */
  object?: string;
}

/** Local absolute path → state, for every file that a download wrote: the mirror need not upload these again. */
export type KnownFiles = Map<string, KnownFile>;

/** How the command came to its end. */
export interface CommandEnd {
  /** It was killed or failed by itself, perhaps in the middle of writing. Default false: it ended in its own time. */
  cutOff: boolean;
}

/** A running mirror of one `during` rule. */
export interface Mirror {
  /**
   * Aborts, with the error that `finish` would throw, once nothing more will be brought up whatever happens: the command would run
   * on for nothing. Never for the attempt's own end.
   */
  readonly broken: AbortSignal;
  /**
   * Stops watching, then brings the bucket to the directory's last state: everything awaited, newest content wins.
   * Call it after the command has ended. Throws TransferError when a file could not be brought up. A snapshot leaves out what a
   * command wrote right before it was cut off.
   */
  finish(end?: CommandEnd): Promise<void>;
  /** Stops without another effect; transfers in flight are aborted. */
  abandon(): Promise<void>;
}

export interface Transfers {
  /** Downloads all objects under the rules, all or TransferError. Never writes outside a rule's `local_path`. */
  download(rules: DownloadRule[], context: TransferContext): Promise<KnownFiles>;
  /** Starts one mirror per rule. Resolves once watching has begun, so that no early file is missed. */
  mirror(rule: UploadRule, known: KnownFiles, context: TransferContext): Promise<Mirror>;
  /**
   * Uploads a directory (the `after` rules) and verifies each object present with its size and checksum or ETag.
   * `from`: where the files are now (they were moved aside); `rule.local_path` names where they came from.
   */
  upload(rule: UploadRule, from: string, context: TransferContext): Promise<void>;
}

/** Settings of the transfer layer; main.ts reads them from the environment (config.ts). */
export interface TransferSettings extends S3Settings {
  /** A file is uploaded once unchanged for so long… */
  stabilityMs: number;
  /** …but is not held back longer than this. */
  maxWaitMs: number;
  /** Events of one file closer together than this count as one. */
  debounceMs: number;
  /** Files at once, and requests at once over all files. Defaults 8 and 16. */
  concurrentFiles?: number;
  concurrentRequests?: number;
  /** Tries of one request before its file fails. Default 6, with jittered exponential backoff. */
  tries?: number;
  /** The pause before the second try is random up to this and doubles from there, to 20 s at most. Default 500. */
  backoffBaseMs?: number;
  /** A request that moves no byte for so long is given up and tried again; a slow one never is. Default 60,000. */
  stallTimeoutMs?: number;
  /**
   * How long a call of the API about managed storage is tried again. Default 330,000: longer than any lease, so that in an
   * outage trust lapses first, and what waits for trust does not count as failed.
   */
  apiPatienceMs?: number;
}
