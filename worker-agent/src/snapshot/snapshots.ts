/** Snapshots, put together: what an attempt asks for, from the parts of this folder. */
import { realpath } from "node:fs/promises";
import { resolve } from "node:path";
import { snapshotDefaults, type UploadRule } from "../../../src/contract/index.ts";
import {
  FileDisturbed,
  LocalFailure,
  onDisk,
  Refused,
  StorageError,
  transferError,
  withReason,
} from "../transfer/failures.ts";
import { HttpClient } from "../transfer/http-client.ts";
import { patternOf } from "../transfer/patterns/rule-pattern.ts";
import {
  type CommandEnd,
  type TransferContext,
  TransferError,
  type TransferLease,
} from "../transfer/ports.ts";
import { judge, patienceOf } from "../transfer/retry.ts";
import { type ManagedSettings, ManagedStorage } from "../transfer/stores/managed/attempt-storage.ts";
import type { CutTimes } from "./cut-timing.ts";
import { Knowledge } from "./knowledge.ts";
import type { SnapshotContext, SnapshotSettings, Snapshots } from "./ports.ts";
import { restore } from "./restore.ts";
import { Mtimes, type Restored } from "./restored.ts";
import { GenerationNumbers, Series } from "./series.ts";
import { chunkSizes } from "./sizes.ts";
import { createSnapshotStore } from "./snapshot-store.ts";
import { Snapshotter } from "./snapshotter.ts";
import { clearLeftovers } from "./staging.ts";

/** What all rules of one attempt share. */
interface AttemptSnapshots {
  numbers: GenerationNumbers;
  /** Directories in which nothing of an earlier agent lies any more. */
  cleared: Map<string, Promise<void>>;
}

/** Chunks of one generation go one way at a time, over connections of their own: mirrors and outputs have others. */
const connections = 8;

export function createSnapshots(settings: SnapshotSettings, api: ManagedSettings): Snapshots {
  const { stallTimeoutMs, apiPatienceMs } = settings;
  const patience = patienceOf(settings);
  const http = new HttpClient({ concurrentRequests: connections, stallTimeoutMs });
  const managed = new ManagedStorage(http, { ...api, ...patience, apiPatienceMs });
  const sizes = settings.sizes ?? chunkSizes;
  const attempts = new WeakMap<TransferLease, AttemptSnapshots>();
  const storeIn = (context: TransferContext) => createSnapshotStore(managed.of(context), patience, context);

  const sharedBy = ({ lease }: TransferContext): AttemptSnapshots => {
    const shared = attempts.get(lease) ?? { numbers: new GenerationNumbers(), cleared: new Map() };
    attempts.set(lease, shared);
    return shared;
  };

  return {
    restore: (rule, context) => {
      const root = resolve(context.workdir, rule.local_path);
      const { prefix } = rule;
      const work = restore({ store: storeIn(context), prefix, root, context });
      return named(`resume of ${root} from ${prefix}`, work, context);
    },
    start: (rule, restored, context) =>
      named(`snapshots of ${rule.local_path} to ${rule.prefix}`, start(rule, restored, context), context),
  };

  async function start(rule: UploadRule, restored: Restored[], context: SnapshotContext) {
    const root = resolve(context.workdir, rule.local_path);
    const realRoot = await onDisk(root, realpath(root));
    const { numbers, cleared } = sharedBy(context);
    const clearing = cleared.get(realRoot) ?? clearLeftovers(realRoot);
    cleared.set(realRoot, clearing);
    await clearing;
    const series = new Series(rule.prefix, context.lease.attempt, numbers);
    const ofPrefix = restored.findLast(({ prefix }) => prefix === rule.prefix);
    if (ofPrefix) series.buildOn(ofPrefix.head, ofPrefix.digest);
    else series.buildOnName((await storeIn(context).head(rule.prefix)).head);
    const here = ofPrefix?.root === root ? ofPrefix : undefined;
    const snapshotter = new Snapshotter({
      root,
      realRoot,
      pattern: patternOf(rule),
      times: timesOf(rule, settings.patienceFloorMs),
      sizes,
      keep: rule.keep,
      series,
      knowledge: knowledgeOf(here),
      mtimes: here?.mtimes ?? new Mtimes(),
      entries: here?.entries ?? new Map(),
      context,
      storeIn,
    });
    return {
      broken: snapshotter.broken,
      finish: (end?: CommandEnd) => withReason(() => snapshotter.finish(end)),
      abandon: () => snapshotter.abandon(),
    };
  }
}

/** A directory that never rests is cut after ten times what would have been rest, and not sooner than this. */
const patienceFloorDefaultMs = 30_000;

function timesOf(rule: UploadRule, floorMs = patienceFloorDefaultMs): CutTimes {
  const quietMs = (rule.quiet_seconds ?? snapshotDefaults.quietSeconds) * 1000;
  const minIntervalMs = (rule.min_interval_seconds ?? snapshotDefaults.minIntervalSeconds) * 1000;
  return { quietMs, minIntervalMs, patienceMs: Math.max(floorMs, 10 * quietMs) };
}

function knowledgeOf(restored: Restored | undefined): Knowledge {
  const knowledge = new Knowledge();
  for (const [path, content] of restored?.contents ?? []) {
    const seen = restored?.entries.get(path);
    if (seen?.type === "file") knowledge.learn(path, seen.state, content);
  }
  return knowledge;
}

async function named<T>(doing: string, work: Promise<T>, { signal }: TransferContext): Promise<T> {
  try {
    return await withReason(() => work);
  } catch (failure) {
    if (signal.aborted) throw signal.reason;
    // What is none of these is a bug of ours, and is to be told with its stack.
    const { retry, fault } = judge(failure);
    const isTrouble = retry || told.some((kind) => failure instanceof kind);
    throw isTrouble ? transferError(fault, doing, failure) : failure;
  }
}

const told = [FileDisturbed, LocalFailure, Refused, StorageError, TransferError];
