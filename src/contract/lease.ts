import { z } from "zod";
import { RefusalReason } from "./errors.ts";
import { JobStatus } from "./job.ts";
import { limits } from "./limits.ts";
import { Progress } from "./progress.ts";
import { Id, legible, text } from "./text.ts";
import { Time } from "./time.ts";

/** How an attempt ended; design of each: docs/leases.md. `null` while it goes on. */
export const AttemptEnd = z.enum([
  "completed",
  "failed",
  "interrupted",
  "released",
  "canceled",
  "stalled",
  "timed_out",
]);
export type AttemptEnd = z.infer<typeof AttemptEnd>;

/**
 * What ended the command, where that is known better than by its exit code: `out_of_memory`: the kernel killed something of it for want of
 * memory; `disk_full`: it failed and no disk space was left.
 */
export const AttemptCause = z.enum(["exit", "signal", "not_started", "out_of_memory", "disk_full"]);
export type AttemptCause = z.infer<typeof AttemptCause>;

/** Who speaks. Old workers send only the first two; our agent proves its lease with the token. */
export const Holder = z.object({
  machine_id: Id.describe("The node that speaks"),
  container_group_id: Id.describe("The queue of the job"),
  attempt: z
    .int()
    .min(1)
    .optional()
    .describe("Number of the attempt that speaks; our agent's calls carry it"),
  lease_token: Id.optional().describe("Proof of the lease, from the claim"),
});
export type Holder = z.infer<typeof Holder>;

/** A report of an attempt's end: `completed`, `failed`, `released`, `stalled` or `timed_out`, by the route it is sent to. */
export const Report = Holder.extend({
  exit_code: z.int().min(-1).max(255).nullish().describe("Of the command"),
  signal: text(limits.signalChars).nullish().describe("That ended the command, for example SIGKILL"),
  cause: AttemptCause.nullish().describe("What ended the command"),
  progress: Progress.nullish().describe("The last that the command told of its progress"),
  reason: z
    .string()
    .overwrite((reason) => legible(reason, limits.reasonChars))
    .nullish()
    .describe("In words, for people; cut at 1,000 characters"),
  bytes_downloaded: z.int().min(0).optional().describe("Bytes that this attempt has downloaded"),
  bytes_uploaded: z.int().min(0).optional().describe("Bytes that this attempt has uploaded"),
});
export type Report = z.infer<typeof Report>;
/** A report as it is written, before parsing. */
export type ReportInput = z.input<typeof Report>;

/**
 * The answer to a report. `reallocate`: this node fails what goes well elsewhere; the agent asks SaladCloud for another node, with this reason.
 */
export const ReportAnswer = z.object({
  message: z.string().describe("What was done, in words"),
  reallocate: text(limits.reasonChars)
    .min(1)
    .optional()
    .describe("Ask SaladCloud for another node, with this reason: jobs that fail here do better elsewhere"),
});
export type ReportAnswer = z.infer<typeof ReportAnswer>;

export const HeartbeatAnswer = z.object({
  status: JobStatus.describe("`canceled` also when another attempt holds the job: drop it, report nothing"),
  lease_seconds: z.number().optional().describe("Seconds for which the lease holds from now on"),
  reason: RefusalReason.optional().describe("Why it is `canceled`"),
});
export type HeartbeatAnswer = z.infer<typeof HeartbeatAnswer>;

/** One call renews all leases of an agent (`POST /leases/renew`). */
export const RenewalRequest = z.object({
  machine_id: Id.describe("The node that holds them"),
  container_group_id: Id.describe("The queue of the jobs"),
  leases: z
    .array(
      z.object({
        job_id: z.uuid().describe("Id of the job"),
        attempt: z.int().min(1).describe("Number of the attempt"),
        lease_token: Id.describe("Proof of the lease, from the claim"),
        command_started: z.boolean().optional().describe("The command runs, or has run, in this attempt"),
        progress: z
          .int()
          .min(0)
          .optional()
          .describe("Checkpoints or steps of this attempt so far; 0 for long tells that it gets nowhere"),
        progress_report: Progress.nullish().describe("The newest that the command has told of its progress"),
        uploading: z
          .boolean()
          .optional()
          .describe("The command has ended and final uploads go on: its node must not be taken away now"),
      }),
    )
    .min(1)
    .max(limits.renewals)
    .describe("The leases to renew"),
});
export type RenewalRequest = z.infer<typeof RenewalRequest>;

/**
 * In request order. `running`: renewed for `lease_seconds`. `canceled`: the lease has ended for the given reason;
 * stop the command and report nothing.
 */
export const RenewalAnswer = z.object({
  leases: z
    .array(
      z.object({
        job_id: z.string().describe("Id of the job"),
        attempt: z.int().describe("Number of the attempt"),
        status: z.enum(["running", "canceled"]).describe("Renewed, or over"),
        lease_seconds: z
          .number()
          .optional()
          .describe("Seconds for which the lease holds, from the sending of the call"),
        reason: RefusalReason.optional().describe("Why it is over"),
      }),
    )
    .describe("In the order of the request"),
});
export type RenewalAnswer = z.infer<typeof RenewalAnswer>;

/** One run of a job, as `GET /jobs/:id/attempts` lists it. */
export const Attempt = z.object({
  number: z.int().describe("1 for the first"),
  machine_id: z.string().nullable().describe("The node that ran it"),
  instance_id: z.string().nullable().describe("The container instance on that node, where told"),
  claimed: Time.describe("When it was handed out"),
  acknowledged: Time.nullable().describe("First renewal; an attempt without one counts for nothing"),
  ended: Time.nullable().describe("Null while it goes on"),
  end: AttemptEnd.nullable().describe("How it ended; null while it goes on"),
  command_started: Time.nullable().describe("When a renewal first told that the command runs"),
  died_early: z
    .boolean()
    .describe(
      "Fell silent within 10 minutes of that, or stalled, without progress: several such in a row are a quarantine",
    ),
  exit_code: z.int().nullable().describe("Of the command"),
  signal: z.string().nullable().describe("That ended the command"),
  cause: AttemptCause.nullable().describe("What ended the command, where told"),
  reason: z.string().nullable().describe("Why it ended so, in words"),
  bytes_downloaded: z.int().nullable().describe("Bytes that it downloaded, where told"),
  bytes_uploaded: z.int().nullable().describe("Bytes that it uploaded, where told"),
  node: z
    .object({
      agent_version: z.string().optional().describe("Version of the agent"),
      gpu_model: z.string().optional().describe("Model of the node's GPUs"),
      gpu_count: z.int().optional().describe("GPUs that the container saw"),
      driver_version: z.string().optional().describe("Version of the GPU's driver"),
      memory_bytes: z.int().optional().describe("Memory that the container might use, in bytes"),
      disk_bytes: z.int().optional().describe("Size of the disk with the working directory, in bytes"),
    })
    .nullable()
    .describe("What the agent told of its node with the claim; null: nothing"),
});
export type Attempt = z.infer<typeof Attempt>;
export const AttemptList = z.object({
  _count: z.int().describe("Length of this list"),
  attempts: z.array(Attempt).describe("Oldest first"),
});
export type AttemptList = z.infer<typeof AttemptList>;

export const Message = z.object({ message: z.string().describe("What was done, in words") });
export type Message = z.infer<typeof Message>;
