import type { LeasedJob } from "../api/work.ts";
import { AttemptProgress } from "../progress/attempt-progress.ts";
import { Trust, type TrustSettings } from "./trust.ts";

/** The right to run one attempt of one job, from its claim to its reported end. */
export interface Lease {
  readonly jobId: string;
  readonly attempt: number;
  readonly token: string;
  /** As the API last told; renewals may change it. */
  termMs: number;
  readonly trust: Trust;
  /** How the attempt gets on; every renewal tells it. An attempt that dies early again and again is quarantined. */
  readonly progress: AttemptProgress;
}

/** The lease of a claimed job. It is trusted only once a first renewal has succeeded. */
export function leaseOf(job: LeasedJob, settings: TrustSettings): Lease {
  return {
    jobId: job.id,
    attempt: job.attempt,
    token: job.lease_token,
    termMs: job.lease_seconds * 1000,
    trust: new Trust(settings),
    progress: new AttemptProgress(job.progress?.step),
  };
}
