/** All that the judge gets to see: logs, and the bucket as it lies there at the end. Nothing that the API says of itself. */
import type { SumLog } from "../../sum-log.ts";
import type { FaultRecord } from "../logs/fault-log.ts";
import type { StorageRequest } from "../logs/storage-log.ts";
import type { WireEvent } from "../logs/wire-log.ts";

export interface ChaosJob {
  id: string;
  name: string;
  n: number;
}

export interface Evidence {
  /** Every job that the API has accepted. */
  jobs: ChaosJob[];
  /** Written by the jobs. */
  log: SumLog;
  wire: WireEvent[];
  storage: StorageRequest[];
  faults: FaultRecord[];
  /** Job id → its `sum.json`; absent: there is none. */
  outputs: Map<string, string>;
  /** Keys of all checkpoints. */
  checkpoints: Set<string>;
}
