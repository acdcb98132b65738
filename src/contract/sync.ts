import { z } from "zod";
import { limits } from "./limits.ts";
import { ManagedPrefix } from "./managed-key.ts";
import { atMost, text } from "./text.ts";

export const Bucket = text(limits.bucketChars).min(1);

/** A prefix lacking its final "/" gets one; the empty prefix stays empty: it is the bucket's root. */
export const Prefix = text(limits.prefixChars)
  .overwrite((prefix) => (prefix === "" || prefix.endsWith("/") ? prefix : `${prefix}/`))
  .describe("Beginning of keys; lacking its final `/`, it gets one. Empty: the root");

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

/**
 * - `mirror` (default): files appear under the prefix as they are, one by one.
 * - `snapshot`: the directory as a whole, committed or not at all (docs/storage.md). In managed storage only.
 */
export const SyncMode = z.enum(["mirror", "snapshot"]);
export type SyncMode = z.infer<typeof SyncMode>;

/** When a generation is cut and how many are kept; of `during` rules with mode `snapshot`. */
export const snapshotDefaults = { minIntervalSeconds: 60, quietSeconds: 2, keep: 3 } as const;

const ruleFields = {
  bucket: Bucket.optional().describe(
    "Of the user's own S3-compatible storage, with the credentials on the node. Left out: managed storage, and no credential on the node",
  ),
  prefix: Prefix,
  local_path: text(limits.pathChars)
    .min(1)
    .describe("Directory on the node; relative to the agent's working directory"),
  pattern: Pattern.optional(),
  mode: SyncMode.optional().describe("File by file, or the directory as a whole (Default: mirror)"),
};

const snapshotFields = {
  min_interval_seconds: z
    .int()
    .min(0)
    .max(86_400)
    .optional()
    .describe("Seconds between two generations, at least (Default: 60)"),
  quiet_seconds: z
    .number()
    .min(0)
    .max(3600)
    .optional()
    .describe("A generation is cut once nothing has changed for so long (Default: 2)"),
  keep: z
    .int()
    .min(1)
    .max(limits.keptGenerations)
    .optional()
    .describe("Generations kept, the newest ones (Default: 3)"),
};

type Place = { bucket?: string | undefined; prefix: string; mode?: SyncMode | undefined };

/** Managed storage knows no keys that leave its root; snapshots live in managed storage. */
function checkPlace(rule: Place, context: z.RefinementCtx): void {
  if (rule.bucket === undefined) {
    const prefix = ManagedPrefix.safeParse(rule.prefix);
    for (const issue of prefix.error?.issues ?? []) {
      context.addIssue({ code: "custom", path: ["prefix"], message: issue.message });
    }
  } else if (rule.mode === "snapshot") {
    context.addIssue({
      code: "custom",
      path: ["bucket"],
      message: "must be left out: snapshots live in managed storage",
    });
  }
}

/** One directory kept in step with one prefix of S3-compatible or managed storage. */
export const DownloadRule = z
  .object({ ...ruleFields, direction: z.literal("download").describe("From storage to the node") })
  .superRefine(checkPlace);
export type DownloadRule = z.infer<typeof DownloadRule>;

export const UploadRule = z
  .object({
    ...ruleFields,
    ...snapshotFields,
    direction: z.literal("upload").describe("From the node to storage"),
  })
  .superRefine((rule, context) => {
    checkPlace(rule, context);
    if (rule.mode === "snapshot") return;
    for (const field of Object.keys(snapshotFields) as (keyof typeof snapshotFields)[]) {
      if (rule[field] === undefined) continue;
      context.addIssue({ code: "custom", path: [field], message: "is for rules with mode `snapshot` alone" });
    }
  });
export type UploadRule = z.infer<typeof UploadRule>;
export type SyncRule = DownloadRule | UploadRule;

/** What to download before, keep uploading during, and upload after the command. */
export const Sync = z
  .object({
    before: atMost(limits.syncRules, z.array(DownloadRule))
      .optional()
      .describe("Downloaded before the command starts"),
    during: atMost(limits.syncRules, z.array(UploadRule))
      .optional()
      .describe("Kept in step while the command runs"),
    after: atMost(limits.syncRules, z.array(UploadRule))
      .optional()
      .describe("Uploaded once the command has ended with 0"),
  })
  .superRefine((sync, context) => {
    for (const [index, rule] of (sync.after ?? []).entries()) {
      if (rule.mode !== "snapshot") continue;
      context.addIssue({
        code: "custom",
        path: ["after", index, "mode"],
        message: "must be `mirror`: outputs are published by the job's end as they are",
      });
    }
    const series = new Set<string>();
    for (const [index, rule] of (sync.during ?? []).entries()) {
      if (rule.mode !== "snapshot") continue;
      if (series.has(rule.prefix)) {
        context.addIssue({
          code: "custom",
          path: ["during", index, "prefix"],
          message: "is another snapshot rule's: their generations would mix",
        });
      }
      series.add(rule.prefix);
    }
  });
export type Sync = z.infer<typeof Sync>;

/** Where the first rule that uses managed storage leaves its bucket out; undefined: none does. */
export function firstManagedRule(sync: Sync | null | undefined): (string | number)[] | undefined {
  for (const list of ["before", "during", "after"] as const) {
    const index = (sync?.[list] ?? []).findIndex((rule: SyncRule) => rule.bucket === undefined);
    if (index >= 0) return ["sync", list, index, "bucket"];
  }
  return undefined;
}

/** Whether any rule uses managed storage. */
export function usesManagedStorage(sync: Sync | null | undefined): boolean {
  return firstManagedRule(sync) !== undefined;
}
