import { z } from "zod";
import { limits } from "./limits.ts";
import { legible } from "./text.ts";

/** How far a command has come, in its own words: a line of its `KELPIE_PROGRESS_FILE`. */
export const Progress = z.object({
  step: z.number().min(0).max(Number.MAX_SAFE_INTEGER).describe("Steps done, in the command's own unit"),
  total: z
    .number()
    .min(0)
    .max(Number.MAX_SAFE_INTEGER)
    .nullish()
    .describe("Steps that there are; null: it does not say"),
  message: z
    .string()
    .overwrite((message) => legible(message, limits.progressMessageChars))
    .nullish()
    .describe("For people; cut at 200 characters"),
});
export type Progress = z.infer<typeof Progress>;
