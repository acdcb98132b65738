/** One way to say what a job wants moved: the six older fields become the same three lists of rules as `sync`. */
import { resolve } from "node:path";
import type { DownloadRule, LegacyStorage, Sync, UploadRule } from "../../src/contract/index.ts";
import type { LegacyDirectories } from "./config.ts";

/** The two ways to name storage; exactly one is set. */
type StorageOfJob = Partial<LegacyStorage> & { sync?: Sync };

export interface JobRules {
  before: DownloadRule[];
  during: UploadRule[];
  after: UploadRule[];
}

/** The job's rules. With the older fields: inputs and checkpoints before, checkpoints during, outputs after. */
export function rulesOf(job: StorageOfJob, directories: LegacyDirectories): JobRules {
  if (job.sync) {
    const { before = [], during = [], after = [] } = job.sync;
    return { before, during, after };
  }
  const place = (bucket: string | undefined, prefix: string | undefined, path: string) =>
    bucket === undefined ? [] : [{ bucket, prefix: prefix ?? "", local_path: path }];
  const input = place(job.input_bucket, job.input_prefix, directories.input);
  const checkpoint = place(job.checkpoint_bucket, job.checkpoint_prefix, directories.checkpoint);
  const output = place(job.output_bucket, job.output_prefix, directories.output);
  return {
    before: [...input, ...checkpoint].map((rule) => ({ ...rule, direction: "download" })),
    during: checkpoint.map((rule) => ({ ...rule, direction: "upload" })),
    after: output.map((rule) => ({ ...rule, direction: "upload" })),
  };
}

/** Every directory that the rules name, absolute, each once. */
export function directoriesOf(rules: JobRules, workdir: string): string[] {
  const all = [...rules.before, ...rules.during, ...rules.after];
  return [...new Set(all.map((rule) => resolve(workdir, rule.local_path)))];
}
