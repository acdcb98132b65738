/** What snapshots offer to an attempt. */
import type { DownloadRule, UploadRule } from "../../../src/contract/index.ts";
import type { Mirror, TransferContext, TransferSettings } from "../transfer/ports.ts";
import type { Restored } from "./restored.ts";
import type { ChunkSizes } from "./sizes.ts";

export interface CommittedGeneration {
  prefix: string;
  generation: number;
  files: number;
  /** Over the wire for it, those of cuts that were dropped before included. */
  bytesSent: number;
  /** Of all its files. */
  bytesTotal: number;
  /** From the cut to the commit. */
  seconds: number;
  quiet: boolean;
}

export interface RestoredGeneration {
  prefix: string;
  attempt: number;
  generation: number;
  files: number;
  bytes: number;
}

export interface SnapshotContext extends TransferContext {
  onCommitted(generation: CommittedGeneration): void;
  onRestored(generation: RestoredGeneration): void;
}

export interface Snapshots {
  /**
   * Brings the newest intact generation of the rule's prefix into its directory, whole or not at all. Undefined: there is
   * none yet. @throws TransferError: `config` when there were some and all are lost.
   */
  restore(rule: DownloadRule, context: SnapshotContext): Promise<Restored | undefined>;
  /** Cuts and commits generations of the rule's directory until it is finished or abandoned. */
  start(rule: UploadRule, restored: Restored[], context: SnapshotContext): Promise<Mirror>;
}

export interface SnapshotSettings
  extends Pick<TransferSettings, "tries" | "backoffBaseMs" | "stallTimeoutMs" | "apiPatienceMs"> {
  /** A directory that never rests is cut after ten times its `quiet_seconds`, but not sooner than this. Default 30,000. */
  patienceFloorMs?: number;
  /** Default: sizes.ts. */
  sizes?: ChunkSizes;
}
