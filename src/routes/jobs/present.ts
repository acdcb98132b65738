/** The one mapping of jobs and attempts to the wire. */
import type { Attempt, Job } from "../../contract/index.ts";
import type { AttemptRecord } from "../../db/jobs/attempts.ts";
import type { JobRow } from "../../db/schema.ts";
import type { LiveLease } from "../../group/protocol.ts";
import { iso, isoOrNull } from "../times.ts";

/** What of a row clients see. */
export type VisibleJob = Omit<JobRow, "seq" | "fresh" | "lastOp" | "earlyDeaths" | "managed">;

/** A job on the wire. With `sync` the six legacy fields are absent, and the other way round. */
export function presentJob(job: VisibleJob): Job {
  return {
    id: job.id,
    user_id: job.userId,
    status: job.status,
    command: job.command,
    arguments: job.arguments,
    environment: job.environment,
    container_group_id: job.containerGroupId,
    max_failures: job.maxFailures,
    heartbeat_interval: job.heartbeatInterval,
    webhook: job.webhook,
    webhook_events: job.webhookEvents,
    compression: job.compression,
    retry_delay_seconds: job.retryDelay,
    stop_signal: job.stopSignal,
    stop_grace_seconds: job.stopGrace,
    timeout_seconds: job.timeout,
    stall_timeout_seconds: job.stallTimeout,
    priority: job.priority,
    ...(job.legacyStorage ?? { sync: job.sync ?? {} }),
    created: iso(job.created),
    started: isoOrNull(job.started),
    completed: isoOrNull(job.completed),
    canceled: isoOrNull(job.canceled),
    failed: isoOrNull(job.failed),
    heartbeat: isoOrNull(job.heartbeat),
    num_failures: job.numFailures,
    num_heartbeats: job.numHeartbeats,
    num_interruptions: job.numInterruptions,
    progress: job.progress && { ...job.progress, at: iso(job.progress.at) },
    available: job.availableAt === 0 ? null : iso(job.availableAt),
    failed_reason: job.failedReason,
    machine_id: job.machineId,
    attempt: job.attempt,
  };
}

/** The row with what its lease knows better, provided that the lease is of the same attempt. */
export function withLiveLease(job: JobRow, live: LiveLease | null): JobRow {
  if (live?.attempt !== job.attempt) return job;
  const { heartbeat, numHeartbeats, progress } = live;
  return { ...job, heartbeat, numHeartbeats, progress: progress ?? job.progress };
}

/** An attempt on the wire. */
export function presentAttempt(attempt: AttemptRecord): Attempt {
  return {
    ...attempt,
    claimed: iso(attempt.claimed),
    acknowledged: isoOrNull(attempt.acknowledged),
    ended: isoOrNull(attempt.ended),
    command_started: isoOrNull(attempt.command_started),
    died_early: attempt.died_early === 1,
    node: attempt.node === null ? null : (JSON.parse(attempt.node) as Attempt["node"]),
  };
}
