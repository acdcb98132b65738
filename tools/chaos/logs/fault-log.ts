/** What was done to whom, and when. */
import { z } from "zod";

export const FaultKind = z.enum(["API killed", "agent killed", "frozen", "cut"]);
export type FaultKind = z.infer<typeof FaultKind>;

export const FaultRecord = z.object({
  kind: FaultKind,
  /** Absent: it struck the API. */
  node: z.string().optional(),
  /** In words. */
  what: z.string(),
  /** Came together with others, as one blow. */
  combined: z.boolean(),
  startMs: z.int(),
  endMs: z.int(),
});
export type FaultRecord = z.infer<typeof FaultRecord>;
