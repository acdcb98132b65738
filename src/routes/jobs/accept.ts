/**
 * Taking jobs in: measured, inserted all or none, answered without reading back. Then the groups' objects are told; that
 * is a hint, so it happens after the answer and may get lost.
 */
import type { Context } from "hono";
import { v7 as uuidv7 } from "uuid";
import {
  firstManagedRule,
  type Job,
  type JobSubmission,
  type LegacyStorage,
  legacyStorageFields,
  limits,
  usesManagedStorage,
} from "../../contract/index.ts";
import { takeKey } from "../../db/jobs/idempotency.ts";
import { type EncodedJob, encodeJob, insertJobs, type NewJob } from "../../db/jobs/insert.ts";
import { prepare } from "../../db/prepare.ts";
import type { Statement } from "../../db/statement.ts";
import { configOf, hasManagedStorage } from "../../env.ts";
import { ApiError } from "../../middleware/api-error.ts";
import type { AppEnv } from "../../middleware/app-env.ts";
import { groupOf, ownKey } from "../../middleware/group.ts";
import { describeError, log } from "../../middleware/log.ts";
import { problemOfTarget } from "../../webhooks/target.ts";
import { fieldOf } from "../invalid-request.ts";
import { scaleUp } from "../scale-up.ts";
import { firstResult, type Keyed, keyedOf } from "./idempotency.ts";
import { presentJob } from "./present.ts";

/** A Worker on the free plan may make 50 subrequests; groups beyond these find their jobs within 2 s by themselves. */
const maxGroupsTold = 32;

/**
 * Stores the jobs of the principal and answers them in the order given; under an `Idempotency-Key` that is known, answers what it has made.
 * 400 for rules without bucket where there is no managed storage, and for webhooks that may not go where they point; 413 with `index`
 * when one of several is too large.
 */
export async function acceptJobs(c: Context<AppEnv>, submissions: JobSubmission[]): Promise<Job[]> {
  const { userId } = c.var.principal;
  const createdMs = Date.now();
  checkManagedStorage(c, submissions);
  checkWebhooks(c, submissions);
  const keyed = await keyedOf(c);
  const jobs = submissions.map(newJob);
  const encoded = jobs.map(encodeJob);
  const tooLarge = encoded.findIndex((job) => job.bytes > limits.jobBytes);
  if (tooLarge >= 0) {
    const index = jobs.length > 1 ? { index: tooLarge } : {};
    throw new ApiError("payload_too_large", { what: "job", limitBytes: limits.jobBytes, ...index });
  }

  const statements = statementsOf({ userId, createdMs, jobs, encoded, keyed });
  const results = await c.env.DB.batch(statements.map((statement) => prepare(c.env.DB, statement)));
  const inserted = results.slice(keyed ? 1 : 0).reduce((sum, { meta }) => sum + meta.changes, 0);
  if (keyed && inserted === 0) return await firstResult(c, keyed);
  if (inserted !== jobs.length) throw new Error(`${inserted} of ${jobs.length} jobs were inserted`);

  c.executionCtx.waitUntil(tellGroups(c, jobs));
  return jobs.map((job) => presentJob({ ...job, ...untouched, userId, created: createdMs }));
}

function statementsOf(write: {
  userId: string;
  createdMs: number;
  jobs: NewJob[];
  encoded: EncodedJob[];
  keyed: Keyed | null;
}): Statement[] {
  const { userId, createdMs, encoded, keyed } = write;
  const jobIds = write.jobs.map(({ id }) => id);
  const [firstJobId] = jobIds;
  if (!keyed || firstJobId === undefined) return insertJobs(userId, createdMs, encoded);
  return [
    takeKey({ ...keyed, userId, jobIds, nowMs: createdMs }),
    ...insertJobs(userId, createdMs, encoded, { keyHash: keyed.keyHash, firstJobId }),
  ];
}

/** A rule without bucket, where there is no managed storage, would end in an attempt that fails days later. */
function checkManagedStorage(c: Context<AppEnv>, submissions: JobSubmission[]): void {
  if (hasManagedStorage(configOf(c.env))) return;
  for (const [index, { sync }] of submissions.entries()) {
    const path = firstManagedRule(sync);
    if (path === undefined) continue;
    throw new ApiError("invalid_request", {
      problem: "is missing: this deployment has no managed storage",
      field: fieldOf(path),
      ...(submissions.length > 1 ? { index } : {}),
    });
  }
}

/** Where a webhook points is looked at again before each try (src/webhooks/send.ts); its owner had better know now. */
function checkWebhooks(c: Context<AppEnv>, submissions: JobSubmission[]): void {
  const { privateWebhooks } = configOf(c.env);
  for (const [index, { webhook }] of submissions.entries()) {
    const problem = webhook == null ? null : problemOfTarget(webhook, privateWebhooks);
    if (problem === null) continue;
    throw new ApiError("invalid_request", {
      problem,
      field: "webhook",
      ...(submissions.length > 1 ? { index } : {}),
    });
  }
}

function newJob(submission: JobSubmission): NewJob {
  return {
    // Rises with time: a batch lands on few pages of the table's indexes, however long the queue is (docs/performance.md).
    id: uuidv7(),
    containerGroupId: submission.container_group_id,
    command: submission.command,
    arguments: submission.arguments,
    environment: submission.environment,
    sync: submission.sync ?? null,
    legacyStorage: submission.sync ? null : legacyStorageOf(submission),
    webhook: submission.webhook ?? null,
    webhookEvents: submission.webhook_events ?? null,
    compression: submission.compression,
    priority: submission.priority,
    maxFailures: submission.max_failures,
    retryDelay: submission.retry_delay_seconds,
    stopSignal: submission.stop_signal,
    stopGrace: submission.stop_grace_seconds,
    timeout: submission.timeout_seconds ?? null,
    stallTimeout: submission.stall_timeout_seconds ?? null,
    heartbeatInterval: submission.heartbeat_interval,
    managed: usesManagedStorage(submission.sync),
  };
}

/** The schema has seen to it that a submission without `sync` has all six. */
function legacyStorageOf(submission: JobSubmission): LegacyStorage {
  return Object.fromEntries(legacyStorageFields.map((field) => [field, submission[field]])) as LegacyStorage;
}

/** What the table's defaults make of a job that nobody has claimed. */
const untouched = {
  status: "pending",
  started: null,
  completed: null,
  canceled: null,
  failed: null,
  ended: null,
  heartbeat: null,
  numFailures: 0,
  numHeartbeats: 0,
  numInterruptions: 0,
  machineId: null,
  progress: null,
  availableAt: 0,
  failedReason: null,
  attempt: 0,
} as const;

async function tellGroups(c: Context<AppEnv>, jobs: NewJob[]): Promise<void> {
  const added = new Map<string, { priority: number; count: number }>();
  for (const { containerGroupId, priority } of jobs) {
    const before = added.get(containerGroupId) ?? { priority, count: 0 };
    added.set(containerGroupId, { priority: Math.max(before.priority, priority), count: before.count + 1 });
  }
  const told = [...added].slice(0, maxGroupsTold).map(async ([containerGroupId, { priority, count }]) => {
    const key = ownKey(c, containerGroupId);
    const { unattended } = await groupOf(c, key).jobsAdded(key, priority, count);
    if (unattended) await scaleUp(c, key);
  });
  for (const outcome of await Promise.allSettled(told)) {
    if (outcome.status === "rejected") {
      log("warning", "jobs_added_hint_lost", { error: describeError(outcome.reason) });
    }
  }
}
