/** One job, from its downloads to its report. */
import { type ChildProcess, spawn } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Api, Job, Rule } from "./api.ts";
import type { Bucket } from "./bucket.ts";
import type { Config } from "./config.ts";
import { log } from "./log.ts";
import type { StateFile } from "./state-file.ts";
import { watchDirectory } from "./watcher.ts";

export interface Means {
  config: Config;
  api: Api;
  bucket: Bucket;
  state: StateFile;
}

export type JobEnd = "completed" | "failed" | "canceled";

export async function runJob(means: Means, job: Job): Promise<JobEnd> {
  const { config, api, bucket, state } = means;
  const { id, compression: compress } = job;
  log("job", { id });
  state.started(id);
  const rules = rulesOf(job, config);
  const beats = beat(api, job);

  for (const rule of rules.before) {
    // The original starts from zero when its checkpoint cannot be read.
    await bucket
      .downloadAll(rule, compress)
      .catch((error) => log("download failed", { id, error: String(error) }));
  }
  const child = startCommand(job, config);
  beats.onCanceled(() => child.kill("SIGINT"));
  const watchers = rules.during.map((rule) => watchDirectory(bucket, rule, { id, compress, state }));
  const code = await exitCode(child);
  state.exited(id, code);
  log("exited", { id, code });
  for (const watcher of watchers) watcher.close();

  if (code === 0 && !beats.canceled()) await uploadAside(means, job, rules.after);
  // It sleeps out its interval: so long does the original take to report.
  await beats.stop();
  if (beats.canceled()) {
    log("canceled", { id });
    return "canceled";
  }
  return await report(means, id, code === 0 ? "completed" : "failed");
}

/** A completion that cannot be reported is reported as a failure. */
async function report({ api, state }: Means, id: string, end: "completed" | "failed"): Promise<JobEnd> {
  try {
    await api.report(id, end);
    state.ended(id, end);
    return end;
  } catch {
    if (end === "completed") return report({ api, state } as Means, id, "failed");
    state.ended(id, "failed");
    log("gave up", { id });
    return "failed";
  }
}

function startCommand(job: Job, config: Config): ChildProcess {
  return spawn(job.command, job.arguments, {
    stdio: ["ignore", "inherit", "inherit"],
    env: {
      ...process.env,
      ...job.environment,
      ...config.dirs,
      KELPIE_STATE_FILE: config.stateFile,
      KELPIE_JOB_ID: job.id,
    },
  });
}

const exitCode = (child: ChildProcess) =>
  new Promise<number>((resolve) => {
    child.once("error", () => resolve(127));
    child.once("exit", (code) => resolve(code ?? 1));
  });

/** Heartbeats, one each interval, until stopped or told to drop the job. */
function beat(api: Api, job: Job) {
  let going = true;
  let canceled = false;
  let whenCanceled = () => {};
  const loop = (async () => {
    while (going) {
      try {
        if (await api.heartbeat(job.id)) {
          canceled = true;
          whenCanceled();
          return;
        }
      } catch (error) {
        log("heartbeat lost", { id: job.id, error: String(error) });
      }
      await sleep(job.heartbeat_interval * 1000);
    }
  })();
  return {
    canceled: () => canceled,
    onCanceled(listener: () => void) {
      whenCanceled = listener;
      if (canceled) listener();
    },
    async stop() {
      going = false;
      await loop;
    },
  };
}

async function uploadAside({ bucket, state }: Means, { id, compression }: Job, rules: Rule[]): Promise<void> {
  for (const rule of rules) {
    const aside = mkdtempSync(join(tmpdir(), "double-upload-"));
    mkdirSync(rule.local_path, { recursive: true });
    cpSync(rule.local_path, aside, { recursive: true });
    emptyDirectory(rule.local_path);
    for (const path of filesBelow(aside)) {
      const name = relative(aside, path);
      if (rule.pattern !== undefined && !new RegExp(rule.pattern).test(name)) continue;
      state.uploading(id, path);
      await bucket
        .upload(rule, name, path, compression)
        .catch((error) => log("upload failed", { id, name, error: String(error) }));
      state.uploaded(id, path);
    }
    rmSync(aside, { recursive: true, force: true });
  }
}

function rulesOf(job: Job, { dirs }: Config): { before: Rule[]; during: Rule[]; after: Rule[] } {
  if (job.sync) {
    const { before = [], during = [], after = [] } = job.sync;
    return { before, during, after };
  }
  const place = (bucket = "", prefix = "", local_path = "") => ({ bucket, prefix, local_path });
  const checkpoints = place(job.checkpoint_bucket, job.checkpoint_prefix, dirs.CHECKPOINT_DIR);
  return {
    before: [place(job.input_bucket, job.input_prefix, dirs.INPUT_DIR), checkpoints],
    during: [checkpoints],
    after: [place(job.output_bucket, job.output_prefix, dirs.OUTPUT_DIR)],
  };
}

/** Every directory that a job has named, and the three older ones. */
export function directoriesOf(job: Job | null, config: Config): string[] {
  const rules = job ? Object.values(rulesOf(job, config)).flat() : [];
  return [...new Set([...Object.values(config.dirs), ...rules.map((rule) => rule.local_path)])];
}

export function emptyDirectory(path: string): void {
  mkdirSync(path, { recursive: true });
  for (const name of readdirSync(path)) rmSync(join(path, name), { recursive: true, force: true });
}

const filesBelow = (path: string) =>
  readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
