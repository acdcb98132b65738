import { z } from "zod";
import { limits } from "./limits.ts";
import { NodeFacts } from "./node-facts.ts";
import { Progress } from "./progress.ts";
import { Bucket, Prefix, Sync } from "./sync.ts";
import { atMost, Id, text, wholeNumber } from "./text.ts";
import { Time } from "./time.ts";

/**
 * - `pending`: waiting; a claim moves it on.
 * - `running`: some attempt holds it; its reports, its lease's expiry or a cancel move it on.
 * - `completed`, `failed`, `canceled`: ended; nothing moves it on.
 */
export const JobStatus = z.enum(["pending", "running", "completed", "canceled", "failed"]);
export type JobStatus = z.infer<typeof JobStatus>;

/** What tells a command to end; whatever else an image wants, it can trap. */
export const StopSignal = z.enum(["SIGTERM", "SIGINT"]);
export type StopSignal = z.infer<typeof StopSignal>;

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

const legacyNote = "the older way to name storage, all six fields or none";
export const LegacyStorage = z.object({
  input_bucket: Bucket.describe(`Bucket of what is downloaded to INPUT_DIR; ${legacyNote}`),
  input_prefix: Prefix.describe(`Prefix of it; ${legacyNote}`),
  checkpoint_bucket: Bucket.describe(`Bucket of what is kept in step with CHECKPOINT_DIR; ${legacyNote}`),
  checkpoint_prefix: Prefix.describe(`Prefix of it; ${legacyNote}`),
  output_bucket: Bucket.describe(`Bucket that OUTPUT_DIR is uploaded to; ${legacyNote}`),
  output_prefix: Prefix.describe(`Prefix of it; ${legacyNote}`),
});
export type LegacyStorage = z.infer<typeof LegacyStorage>;

/** A job as a client submits it; unknown fields are ignored (clients of Kelpie send some). */
export const JobSubmission = z
  .object({
    command: text(limits.commandChars).min(1).describe("Program to run, without a shell"),
    arguments: atMost(limits.arguments, z.array(text(limits.argumentChars)))
      .default([])
      .describe("Its arguments, each as it is"),
    environment: atMost(
      limits.environmentEntries,
      z.record(EnvironmentName, text(limits.environmentValueChars)),
    )
      .default({})
      .describe("Environment variables of the command, by name, over those of the container"),
    container_group_id: Id.describe("The queue: the id of the container group whose nodes may run the job"),
    max_failures: z
      .int()
      .min(1)
      .max(limits.maxFailures)
      .default(3)
      .describe("Reported failures after which the job has failed"),
    heartbeat_interval: z
      .int()
      .min(1)
      .max(limits.heartbeatIntervalSeconds)
      .default(30)
      .describe("Seconds; a lease lasts twice as long"),
    webhook: HttpUrl.nullish().describe("Called when the job is handed out and when it ends"),
    webhook_events: atMost(
      WebhookEvent.options.length,
      z
        .array(WebhookEvent)
        .min(1)
        .refine((events) => new Set(events).size === events.length, { error: "names an event twice" }),
    )
      .nullish()
      .describe("What the webhook is told; null: running, completed and failed"),
    compression: z.boolean().default(false).describe("Gzip what is uploaded; keys get the ending .gz"),
    retry_delay_seconds: z
      .int()
      .min(0)
      .max(limits.retryDelaySeconds)
      .default(0)
      .describe(
        "Seconds of pause after a reported failure; doubles with each further one, up to an hour or this value",
      ),
    stop_signal: StopSignal.default("SIGTERM").describe("Tells the command's processes to end"),
    stop_grace_seconds: z
      .int()
      .min(0)
      .max(limits.stopGraceSeconds)
      .default(30)
      .describe("Seconds from that signal to SIGKILL"),
    timeout_seconds: z
      .int()
      .min(1)
      .max(limits.timeoutSeconds)
      .nullish()
      .describe("Seconds that the command of one attempt may run; beyond, it is a failure. Null: no bound"),
    stall_timeout_seconds: z
      .int()
      .min(1)
      .max(limits.timeoutSeconds)
      .nullish()
      .describe(
        "Seconds without a new step or checkpoint after which the attempt ends as stalled, to go on elsewhere. Null: never",
      ),
    priority: z
      .int()
      .min(-limits.priority)
      .max(limits.priority)
      .default(0)
      .describe("Higher is handed out first"),
    sync: Sync.nullish().describe(
      "Directories to keep in step with storage, may be {}; or else the six older fields",
    ),
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

/** A job as every route answers it. With `sync`, the six legacy fields are absent, and the other way round. */
export const Job = z.object({
  id: z.uuid().describe("Id of the job; ids rise with time"),
  user_id: z.string().describe("Whose job it is"),
  status: JobStatus.describe("Where it stands; the last three are ends"),
  command: z.string().describe("Program to run, without a shell"),
  arguments: z.array(z.string()).describe("Its arguments"),
  environment: z.record(z.string(), z.string()).describe("Environment variables of the command, by name"),
  container_group_id: z.string().describe("The queue that it is in"),
  max_failures: z.int().describe("Reported failures after which it has failed"),
  heartbeat_interval: z.int().describe("Seconds; a lease lasts twice as long"),
  webhook: z.string().nullable().describe("Called when the job is handed out and when it ends"),
  webhook_events: z
    .array(WebhookEvent)
    .nullable()
    .describe("What the webhook is told; null: running, completed and failed"),
  compression: z.boolean().describe("What is uploaded is gzipped"),
  retry_delay_seconds: z.int().describe("Seconds of pause after a reported failure, doubling"),
  stop_signal: StopSignal.describe("Tells the command's processes to end"),
  stop_grace_seconds: z.int().describe("Seconds from that signal to SIGKILL"),
  timeout_seconds: z
    .int()
    .nullable()
    .describe("Seconds that the command of one attempt may run; null: no bound"),
  stall_timeout_seconds: z
    .int()
    .nullable()
    .describe(
      "Seconds without a new step or checkpoint after which the attempt ends as stalled; null: never",
    ),
  priority: z.int().describe("Higher is handed out first"),
  sync: Sync.optional().describe("Directories to keep in step with storage"),
  ...LegacyStorage.partial().shape,
  created: Time.describe("When it was queued"),
  started: Time.nullable().describe("When it was first handed out"),
  completed: Time.nullable().describe("When it was reported completed; null: it was not"),
  canceled: Time.nullable().describe("When it was canceled; null: it was not"),
  failed: Time.nullable().describe("When it failed for good; null: it did not"),
  heartbeat: Time.nullable().describe("Last sign of life of its holder"),
  num_failures: z.int().describe("Failures reported so far"),
  num_heartbeats: z.int().describe("Lease time held so far, in heartbeat intervals"),
  num_interruptions: z.int().describe("Attempts that ended because their node went silent"),
  progress: Progress.extend({ at: Time.describe("When the API was told") })
    .nullable()
    .describe("The newest that the command has told of itself; null: nothing"),
  available: Time.nullable().describe("Not handed out before, after a failure with a retry delay"),
  failed_reason: z.string().nullable().describe("Why it failed, in words, as far as anybody said"),
  machine_id: z.string().nullable().describe("The machine that touched it last"),
  attempt: z.int().describe("Number of the current or last attempt; 0 while never claimed"),
});
export type Job = z.infer<typeof Job>;

/** What our agent gets beyond Kelpie's answer to a claim; old workers never notice the extra fields. */
export const ClaimedJob = Job.extend({
  lease_token: z.string().optional().describe("Proof of the lease; present when the claim had a `claim_id`"),
  lease_seconds: z
    .number()
    .optional()
    .describe("Term of the lease in seconds, from the sending of each renewal"),
});
export type ClaimedJob = z.infer<typeof ClaimedJob>;

export const ClaimQuery = z.object({
  machine_id: Id.describe("The node that asks"),
  container_group_id: Id.describe("The queue, and the node's group"),
  instance_id: Id.optional().describe("The container instance on that node; kept on the attempt"),
  claim_id: Id.optional().describe(
    "Chosen by the agent, new for each claim; repeating it gets the same attempt. Its lease is provisional for 10 s, until the first renewal",
  ),
  ...NodeFacts.partial().shape,
});
export type ClaimQuery = z.infer<typeof ClaimQuery>;

/** Several statuses: `status=pending,running`, or the parameter repeated. */
const JobStatuses = z
  .preprocess((given, context) => {
    const names = [given].flat().flatMap((value) => (typeof value === "string" ? value.split(",") : [value]));
    if (names.every((name) => JobStatus.safeParse(name).success)) return [...new Set(names)];
    context.addIssue({
      code: "custom",
      message: `must be one or several of ${JobStatus.options.join(", ")}`,
    });
    return z.NEVER;
  }, z.array(JobStatus).min(1))
  .meta({ uniqueItems: true });

/** A time in a query, to milliseconds since the epoch. */
const QueryTime = z.iso.datetime({ offset: true }).transform((text) => Date.parse(text));

export const ListQuery = z
  .object({
    status: JobStatuses.optional().describe("Only jobs in one of these, separated by commas"),
    container_group_id: Id.optional().describe("Only jobs of this queue"),
    machine_id: Id.optional().describe("Only jobs that this machine touched last"),
    created_after: QueryTime.optional().describe("Only jobs queued at this time or later (ISO 8601)"),
    created_before: QueryTime.optional().describe("Only jobs queued before this time (ISO 8601)"),
    page_size: wholeNumber(1, limits.pageSize).default(100).describe("Jobs of one page, at most"),
    page: wholeNumber(1, limits.page)
      .default(1)
      .describe("The page's number. Costs more the higher it is: `cursor` does not"),
    cursor: text(limits.cursorChars)
      .min(1)
      .optional()
      .describe("`next_cursor` of the page before, with the same filters and order"),
    asc: z
      .enum(["true", "false"])
      .default("false")
      .describe("Oldest first")
      .transform((text) => text === "true"),
  })
  .superRefine(({ page, cursor }, context) => {
    if (cursor === undefined || page === 1) return;
    context.addIssue({ code: "custom", path: ["page"], message: "must not be given beside `cursor`" });
  });
export type ListQuery = z.infer<typeof ListQuery>;

export const JobList = z.object({
  _count: z.int().describe("Length of this page"),
  jobs: z
    .array(Job)
    .describe("The page. One that was asked for by `cursor` may be short and have a next one"),
  next_cursor: z.string().nullable().describe("The next page's `cursor`; null: this is the last page"),
});
export type JobList = z.infer<typeof JobList>;
