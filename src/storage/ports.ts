/** What the storage's engines need from the world: the Worker gives it D1 and R2, the simulation both with faults. */
import type { D1Port } from "../db/d1-port.ts";
import type { BucketPort } from "./bucket-port.ts";

/** One line per thing worth telling an operator; `event` is from a fixed list. */
export interface StorageEvent {
  severity: "info" | "warning" | "error";
  event: /** D1 or the bucket failed a commit, which may have been applied all the same: the agent asks again. */
    | "commit_unknown"
    | "doubt_unknown"
    | "head_unknown"
    /** A generation is no longer intact. */
    | "generation_damaged"
    /** A manifest that is there cannot be read, or one that must be there is not. */
    | "manifest_unreadable"
    /** Something could not be cleaned up; the next pass tries again. */
    | "storage_sweep_failed";
  jobId?: string | undefined;
  attempt?: number;
  detail?: string;
}

export interface StoragePorts {
  d1: D1Port;
  bucket: BucketPort;
  nowMs(): number;
  /** A new operation id. */
  operationId(): string;
  log(event: StorageEvent): void;
}
