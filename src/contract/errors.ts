import { z } from "zod";

/** Short names of errors on the wire; each has exactly one HTTP status (src/middleware/errors.ts). */
export const ErrorCode = z.enum([
  "invalid_request",
  "unauthorized",
  "forbidden",
  "not_found",
  "conflict",
  "length_required",
  "precondition_failed",
  "payload_too_large",
  "range_not_satisfiable",
  "upgrade_required",
  "rate_limited",
  "unavailable",
  "internal",
]);
export type ErrorCode = z.infer<typeof ErrorCode>;

/**
 * Why a report, cancel or renewal was refused; sent as `reason` beside a 409, and in a renewal's answer.
 * - `superseded`: another attempt holds the job, or this one's lease has ended.
 * - `not_holder`: this machine (or lease token) does not hold the job.
 * - `completed`, `failed`, `canceled`: the job has ended so.
 * - `not_ended`: only an ended job can be sent back.
 * - `wrong_size`: the object was not of the size that was told; it is not there.
 * - `unknown_job`: no such job of this user in this group.
 */
export const RefusalReason = z.enum([
  "superseded",
  "not_holder",
  "completed",
  "failed",
  "canceled",
  "not_ended",
  "wrong_size",
  "unknown_job",
]);
export type RefusalReason = z.infer<typeof RefusalReason>;

export const ErrorBody = z.object({
  error: ErrorCode,
  message: z.string().describe("What is wrong, in words"),
  field: z.string().optional().describe("Path of the field at fault, for example `sync.before[0].bucket`"),
  index: z.number().int().optional().describe("Position of the job at fault in a batch"),
  reason: RefusalReason.optional(),
});
export type ErrorBody = z.infer<typeof ErrorBody>;
