import { z } from "zod";
import { limits } from "./limits.ts";
import { atMost, text } from "./text.ts";

export const Bucket = text(limits.bucketChars).min(1);

/** A prefix lacking its final "/" gets one; the empty prefix stays empty: it is the bucket's root. */
export const Prefix = text(limits.prefixChars).transform((prefix) =>
  prefix === "" || prefix.endsWith("/") ? prefix : `${prefix}/`,
);

const Pattern = text(limits.patternChars)
  .refine(
    (pattern) => {
      try {
        new RegExp(pattern);
        return true;
      } catch {
        return false;
      }
    },
    { error: "is not a regular expression of ECMAScript" },
  )
  .describe(
    "ECMAScript regular expression, searched (not anchored) in the object's key (downloads) or in the path relative to local_path (uploads)",
  );

const ruleFields = {
  bucket: Bucket,
  prefix: Prefix,
  local_path: text(limits.pathChars).min(1),
  pattern: Pattern.optional(),
};

/** One directory kept in step with one prefix of an S3-compatible bucket. */
export const DownloadRule = z.object({ ...ruleFields, direction: z.literal("download") });
export type DownloadRule = z.infer<typeof DownloadRule>;
export const UploadRule = z.object({ ...ruleFields, direction: z.literal("upload") });
export type UploadRule = z.infer<typeof UploadRule>;
export type SyncRule = DownloadRule | UploadRule;

/** What to download before, keep uploading during, and upload after the command. */
export const Sync = z.object({
  before: atMost(limits.syncRules, z.array(DownloadRule)).optional(),
  during: atMost(limits.syncRules, z.array(UploadRule)).optional(),
  after: atMost(limits.syncRules, z.array(UploadRule)).optional(),
});
export type Sync = z.infer<typeof Sync>;
