/** What commands write to stdout and stderr, as it outlives their nodes (docs/logs.md). */
import { z } from "zod";
import { limits } from "./limits.ts";
import { LeaseProof } from "./storage.ts";
import { wholeNumber } from "./text.ts";

export const LogStream = z.enum(["stdout", "stderr"]);
export type LogStream = z.infer<typeof LogStream>;

/** Bytes from the beginning of the stream. */
const Offset = wholeNumber(0, limits.logBytes);
const AttemptNumber = wholeNumber(1, Number.MAX_SAFE_INTEGER);

/** The query of a part of a log as the agent sends it: its lease, whose token is in a header, and where the part belongs. */
export const LogPlace = LeaseProof.omit({ lease_token: true }).extend({
  attempt: AttemptNumber.describe("Number of the attempt"),
  offset: Offset.describe("Bytes of this stream that were sent before"),
});
export type LogPlace = z.infer<typeof LogPlace>;

/** The header that proves the lease where the body is bytes. Not in the URL, which others log. */
export const leaseTokenHeader = "X-Kelpie-Lease";

/** What of a log is wanted; `tail` and `after` exclude each other. Neither: the last 1,000 lines. */
export const LogQuery = z
  .object({
    attempt: AttemptNumber.optional().describe("Number of the attempt; default: the newest"),
    stream: LogStream.default("stdout").describe("What the command wrote to"),
    tail: wholeNumber(1, limits.logTailLines)
      .optional()
      .describe("The last so many lines, as far as they fit into 1 MiB; default 1000, without `after`"),
    after: Offset.optional().describe(
      "From this byte on, at most 1 MiB. To follow: again and again with what X-Kelpie-Log-Next said",
    ),
  })
  .refine(({ tail, after }) => tail === undefined || after === undefined, {
    path: ["after"],
    error: "does not go with tail",
  });
export type LogQuery = z.infer<typeof LogQuery>;
export const logTailDefaultLines = 1000;

/** Headers of an answer with a log. */
export const logHeaders = {
  attempt: "X-Kelpie-Log-Attempt",
  stream: "X-Kelpie-Log-Stream",
  offset: "X-Kelpie-Log-Offset",
  next: "X-Kelpie-Log-Next",
} as const;
