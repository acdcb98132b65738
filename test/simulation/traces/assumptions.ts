/**
 * What the trace does not tell. One value each for all jobs and all systems, with where it comes from; `npm run simulate --
 * --traces` prints how much each one matters. Nothing here is fitted to a job.
 */
import { minute, second } from "../scenario.ts";

export interface Assumptions {
  /**
   * When a node vanished: between the upload of the last checkpoint that survived and the latest moment that leaves room for
   * the rest of the gap. 0.5 is the mean, since nothing ties a node's end to the job's clock.
   */
  lostShare: number;
  /** The recorded jobs save each ten minutes of computing. */
  checkpointEveryMs: number;
  /** Two numbers and a log of a line per checkpoint. */
  checkpointBytes: number;
  /** Per-file sync: each file is a request of its own. */
  checkpointFiles: number;
  /** From the container's start to the first claim: a process of Node starting. */
  workerStartMs: number;
  /** A call of the queue, from a home line: connection there, one round trip. */
  callMs: number;
  /** A request to the storage, beyond its bytes. */
  storageRequestMs: number;
  /** Old workers notice a changed file by polling it until it has been still for a moment. */
  watchMs: number;
  /**
   * The recorded application measures its node (bandwidth, latency) before it begins, once per container: 32 to 46 s by its own
   * log. It would do so under any queue.
   */
  checksMs: number;
  /** For ours: of the job, as the original's default; the lease lasts twice as long. */
  heartbeatIntervalSeconds: number;
}

export const assumptions: Assumptions = {
  lostShare: 0.5,
  checkpointEveryMs: 10 * minute,
  checkpointBytes: 30_000,
  checkpointFiles: 2,
  workerStartMs: 1 * second,
  callMs: 150,
  storageRequestMs: 200,
  watchMs: 100,
  checksMs: 40 * second,
  heartbeatIntervalSeconds: 30,
};

/** From a checkpoint's last byte on the node's disk to its last byte in the storage. */
export function uploadMs(known: Assumptions, upMbps: number): number {
  return known.watchMs + transferMs(known, upMbps);
}

export function transferMs(known: Assumptions, mbps: number): number {
  return known.checkpointFiles * known.storageRequestMs + (known.checkpointBytes * 8) / (mbps * 1_000);
}
