import { z } from "zod";
import { limits } from "./limits.ts";
import { Bucket, Prefix, Sync } from "./sync.ts";
import { atMost, Id, text } from "./text.ts";

/**
 * - `pending`: waiting; a claim moves it on.
 * - `running`: some attempt holds it; its reports, its lease's expiry or a cancel move it on.
 * - `completed`, `failed`, `canceled`: ended; nothing moves it on.
 */
export const JobStatus = z.enum(["pending", "running", "completed", "canceled", "failed"]);
export type JobStatus = z.infer<typeof JobStatus>;

/** What a webhook can tell: a job was handed out, ended so, or lost its node and waits again. */
export const WebhookEvent = z.enum(["running", "completed", "failed", "canceled", "interrupted"]);
export type WebhookEvent = z.infer<typeof WebhookEvent>;

const EnvironmentName = text(limits.environmentNameChars).regex(/^[^=\0]+$/, {
  error: "must not be empty nor contain '=' or NUL",
});

const HttpUrl = z.url({ protocol: /^https?$/, error: "is not an http(s) URL" }).max(limits.urlChars);

/** The older way to name storage: three directories, each with a bucket and a prefix; all six or none. */
export const legacyStorageFields = [
  "input_bucket",
  "input_prefix",
  "checkpoint_bucket",
  "checkpoint_prefix",
  "output_bucket",
  "output_prefix",
] as const;

export const LegacyStorage = z.object({
  input_bucket: Bucket,
  input_prefix: Prefix,
  checkpoint_bucket: Bucket,
  checkpoint_prefix: Prefix,
  output_bucket: Bucket,
  output_prefix: Prefix,
});
export type LegacyStorage = z.infer<typeof LegacyStorage>;

/** A job as a client submits it; unknown fields are ignored (clients of Kelpie send some). */
export const JobSubmission = z
  .object({
    command: text(limits.commandChars).min(1),
    arguments: atMost(limits.arguments, z.array(text(limits.argumentChars))).default([]),
    environment: atMost(
      limits.environmentEntries,
      z.record(EnvironmentName, text(limits.environmentValueChars)),
    ).default({}),
    container_group_id: Id.describe("The queue: the id of the container group whose nodes may run the job"),
    max_failures: z.int().min(1).max(limits.maxFailures).default(3),
    heartbeat_interval: z
      .int()
      .min(1)
      .max(limits.heartbeatIntervalSeconds)
      .default(30)
      .describe("Seconds; a lease lasts twice as long"),
    webhook: HttpUrl.nullish(),
    webhook_events: atMost(
      WebhookEvent.options.length,
      z
        .array(WebhookEvent)
        .min(1)
        .refine((events) => new Set(events).size === events.length, { error: "names an event twice" }),
    )
      .nullish()
      .describe("What the webhook is told; null: running, completed and failed"),
    compression: z.boolean().default(false),
    retry_delay_seconds: z
      .int()
      .min(0)
      .max(limits.retryDelaySeconds)
      .default(0)
      .describe("Pause after a reported failure; doubles with each further one, up to an hour or this value"),
    priority: z
      .int()
      .min(-limits.priority)
      .max(limits.priority)
      .default(0)
      .describe("Higher is handed out first"),
    sync: Sync.nullish(),
    ...LegacyStorage.partial().shape,
  })
  .superRefine((job, context) => {
    const given = legacyStorageFields.filter((field) => job[field] !== undefined);
    if (job.sync && given.length > 0) {
      context.addIssue({
        code: "custom",
        path: [given[0] as string],
        message: "must not be given beside `sync`",
      });
    } else if (!job.sync && given.length < legacyStorageFields.length) {
      const missing = legacyStorageFields.filter((field) => job[field] === undefined);
      context.addIssue({
        code: "custom",
        path: given.length === 0 ? ["sync"] : [missing[0] as string],
        message: `is missing: give either \`sync\` (may be {}) or all of ${legacyStorageFields.join(", ")}`,
      });
    }
  });
export type JobSubmission = z.infer<typeof JobSubmission>;

const Time = z.iso.datetime().describe("ISO 8601, UTC, milliseconds");

/** A job as every route answers it. With `sync`, the six legacy fields are absent, and the other way round. */
export const Job = z.object({
  id: z.uuid(),
  user_id: z.string(),
  status: JobStatus,
  command: z.string(),
  arguments: z.array(z.string()),
  environment: z.record(z.string(), z.string()),
  container_group_id: z.string(),
  max_failures: z.int(),
  heartbeat_interval: z.int().describe("Seconds"),
  webhook: z.string().nullable(),
  webhook_events: z
    .array(WebhookEvent)
    .nullable()
    .describe("What the webhook is told; null: running, completed and failed"),
  compression: z.boolean(),
  retry_delay_seconds: z.int().describe("Seconds"),
  priority: z.int(),
  sync: Sync.optional(),
  ...LegacyStorage.partial().shape,
  created: Time,
  started: Time.nullable().describe("When it was first handed out"),
  completed: Time.nullable(),
  canceled: Time.nullable(),
  failed: Time.nullable(),
  heartbeat: Time.nullable(),
  num_failures: z.int(),
  num_heartbeats: z.int().describe("Lease time held so far, in heartbeat intervals"),
  num_interruptions: z.int().describe("Attempts that ended because their node went silent"),
  available: Time.nullable().describe("Not handed out before, after a failure with a retry delay"),
  failed_reason: z.string().nullable().describe("Why it failed, in words, as far as anybody said"),
  machine_id: z.string().nullable().describe("The machine that touched it last"),
  attempt: z.int().describe("Number of the current or last attempt; 0 while never claimed"),
});
export type Job = z.infer<typeof Job>;

/** What our agent gets beyond Kelpie's answer to a claim; old workers never notice the extra fields. */
export const ClaimedJob = Job.extend({
  lease_token: z.string().optional().describe("Proof of the lease; present when the claim had a `claim_id`"),
  lease_seconds: z.number().optional().describe("Term of the lease, from the sending of each renewal"),
});
export type ClaimedJob = z.infer<typeof ClaimedJob>;

export const ClaimQuery = z.object({
  machine_id: Id,
  container_group_id: Id,
  instance_id: Id.optional(),
  claim_id: Id.optional().describe(
    "Chosen by the agent, new for each claim; repeating it gets the same attempt. Its lease is provisional for 10 s, until the first renewal",
  ),
});
export type ClaimQuery = z.infer<typeof ClaimQuery>;

export const ListQuery = z.object({
  status: JobStatus.optional(),
  container_group_id: Id.optional(),
  page_size: z.coerce.number().int().min(1).max(limits.pageSize).default(100),
  page: z.coerce.number().int().min(1).max(limits.page).default(1),
  asc: z
    .enum(["true", "false"])
    .default("false")
    .transform((text) => text === "true"),
});
export type ListQuery = z.infer<typeof ListQuery>;

export const JobList = z.object({ _count: z.int().describe("Length of this page"), jobs: z.array(Job) });
export type JobList = z.infer<typeof JobList>;
