import { z } from "zod";
import { RefusalReason } from "./errors.ts";
import { JobStatus } from "./job.ts";
import { limits } from "./limits.ts";
import { Id, legible, text } from "./text.ts";

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

/** Who speaks. Old workers send only the first two; our agent proves its lease with the token. */
export const Holder = z.object({
  machine_id: Id,
  container_group_id: Id,
  attempt: z.int().min(1).optional(),
  lease_token: Id.optional(),
});
export type Holder = z.infer<typeof Holder>;

/** A report of an attempt's end: `completed`, `failed` or `released`, by the route it is sent to. */
export const Report = Holder.extend({
  exit_code: z.int().min(-1).max(255).nullish(),
  signal: text(limits.signalChars).nullish(),
  reason: z
    .string()
    .nullish()
    .transform((reason) => (reason == null ? reason : legible(reason, limits.reasonChars)))
    .describe("In words, for people; cut at 1,000 characters"),
  bytes_downloaded: z.int().min(0).optional(),
  bytes_uploaded: z.int().min(0).optional(),
});
export type Report = z.infer<typeof Report>;
/** A report as it is written, before parsing. */
export type ReportInput = z.input<typeof Report>;

export const HeartbeatAnswer = z.object({
  status: JobStatus.describe("`canceled` also when another attempt holds the job: drop it, report nothing"),
  lease_seconds: z.number().optional(),
  reason: RefusalReason.optional(),
});
export type HeartbeatAnswer = z.infer<typeof HeartbeatAnswer>;

/** One call renews all leases of an agent (`POST /leases/renew`). */
export const RenewalRequest = z.object({
  machine_id: Id,
  container_group_id: Id,
  leases: z
    .array(
      z.object({
        job_id: z.uuid(),
        attempt: z.int().min(1),
        lease_token: Id,
        command_started: z.boolean().optional().describe("The command runs, or has run, in this attempt"),
        progress: z
          .int()
          .min(0)
          .optional()
          .describe("Checkpoints or steps of this attempt so far; 0 for long tells that it gets nowhere"),
      }),
    )
    .min(1)
    .max(limits.renewals),
});
export type RenewalRequest = z.infer<typeof RenewalRequest>;

/**
 * In request order. `running`: renewed for `lease_seconds`. `canceled`: the lease has ended for the given reason;
 * stop the command and report nothing.
 */
export const RenewalAnswer = z.object({
  leases: z.array(
    z.object({
      job_id: z.string(),
      attempt: z.int(),
      status: z.enum(["running", "canceled"]),
      lease_seconds: z.number().optional(),
      reason: RefusalReason.optional(),
    }),
  ),
});
export type RenewalAnswer = z.infer<typeof RenewalAnswer>;

const Time = z.iso.datetime();
/** One run of a job, as `GET /jobs/:id/attempts` lists it. */
export const Attempt = z.object({
  number: z.int(),
  machine_id: z.string().nullable(),
  instance_id: z.string().nullable(),
  claimed: Time,
  acknowledged: Time.nullable().describe("First renewal; an attempt without one counts for nothing"),
  ended: Time.nullable(),
  end: AttemptEnd.nullable(),
  command_started: Time.nullable().describe("When a renewal first told that the command runs"),
  died_early: z.boolean().describe("Fell silent within 10 minutes of that, without progress"),
  exit_code: z.int().nullable(),
  signal: z.string().nullable(),
  reason: z.string().nullable(),
  bytes_downloaded: z.int().nullable(),
  bytes_uploaded: z.int().nullable(),
});
export type Attempt = z.infer<typeof Attempt>;
export const AttemptList = z.object({ _count: z.int(), attempts: z.array(Attempt) });
export type AttemptList = z.infer<typeof AttemptList>;

export const Message = z.object({ message: z.string() });
export type Message = z.infer<typeof Message>;
