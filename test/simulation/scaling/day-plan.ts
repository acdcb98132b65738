/** What happens on a simulated day, whoever scales: drawn once from the seed, so that policies meet the same day. */
import { hour, minute, second } from "../scenario.ts";
import type { Random } from "../world/random.ts";

export interface PlannedJob {
  id: string;
  submittedMs: number;
  /** On a machine of speed 1 that is never interrupted, downloads and uploads aside. */
  workMs: number;
}

export interface Burst {
  atMs: number;
  jobs: PlannedJob[];
  late: PlannedJob[];
}

export const day = {
  bursts: 5,
  burstJobs: 34,
  /** Single ones that come after each burst, when its instances are being given up. */
  latecomers: 6,
  lateMs: [60 * minute, 110 * minute],
  /** Between two bursts everything is to be done and gone; the last one has as long. */
  everyMs: 4.7 * hour,
  firstMs: 20 * minute,
  /** How much later than that one comes. */
  jitterMs: 15 * minute,
  /** Jobs of a burst come within so long. */
  burstMs: 10 * second,
  work: [15 * minute, 90 * minute],
  lateWork: [10 * minute, 45 * minute],
  checkpointEveryMs: 10 * minute,
  /** Of a job's state, and of its input. */
  checkpointBytes: 200_000_000,
  heartbeatIntervalSeconds: 30,
  rule: {
    minReplicas: 0,
    maxReplicas: 30,
    idleThresholdSeconds: 300,
    jobsPerReplica: 1,
    scaleUpCooldown: 0,
    scaleDownCooldown: 900,
  },
  replicasQuota: 100,
} as const;

/** `bursts`: fewer of them, for a shorter day. */
export function planDay(random: Random, startMs: number, bursts: number = day.bursts): Burst[] {
  let serial = 0;
  const job = (submittedMs: number, work: readonly [number, number]): PlannedJob => ({
    id: `job-${++serial}`,
    submittedMs: Math.round(submittedMs),
    workMs: Math.round(random.logBetween(...work)),
  });
  return Array.from({ length: bursts }, (_, i) => {
    const atMs = Math.round(startMs + day.firstMs + i * day.everyMs + random.next() * day.jitterMs);
    const jobs = Array.from({ length: day.burstJobs }, (_, n) =>
      job(atMs + (day.burstMs * n) / day.burstJobs, day.work),
    );
    const late = Array.from({ length: day.latecomers }, () =>
      job(atMs + random.between(...day.lateMs), day.lateWork),
    );
    return { atMs, jobs, late };
  });
}
