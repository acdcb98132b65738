/**
 * Downloads: all objects under the rules, or an error. Each arrives in a hidden file beside its place and takes the
 * place when it is complete, so that nobody ever sees half of one.
 */
import { createReadStream, createWriteStream } from "node:fs";
import { open, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import type { DownloadRule } from "../../../src/contract/index.ts";
import { forEachBounded } from "./bounded.ts";
import { type PlannedDownload, planDownloads } from "./download-plan.ts";
import { LocalFailure, onDisk, Refused, systemCode, transferError } from "./failures.ts";
import { stateAt } from "./file-state.ts";
import { getObject } from "./get-object.ts";
import { listObjects } from "./list-objects.ts";
import { ownName } from "./object-key.ts";
import type { KnownFiles, TransferContext } from "./ports.ts";
import { judge } from "./retry.ts";
import { SafeRoot } from "./safe-directory.ts";
import type { Store } from "./store.ts";

export async function download(
  store: Store,
  rules: DownloadRule[],
  context: TransferContext,
): Promise<KnownFiles> {
  const failed = new AbortController();
  const signal = AbortSignal.any([context.signal, failed.signal]);
  const known: KnownFiles = new Map();
  const roots = new Map<string, SafeRoot>();
  const plan = await planAll(store, rules, context);
  await forEachBounded(
    plan,
    store.concurrentFiles,
    async (file) => {
      const root = roots.get(file.root) ?? new SafeRoot(file.root);
      roots.set(file.root, root);
      context.observer.began("download", file.path);
      let bytes = 0;
      try {
        bytes = await store.files.run(signal, () => downloadFile(store, file, root, signal));
        known.set(file.path, { ...(await stateAt(file.path)), object: `${file.bucket}/${file.key}` });
      } catch (failure) {
        signal.throwIfAborted();
        const doing = `download of ${file.bucket}/${file.key} to ${file.path}`;
        throw transferError(judge(failure).fault, doing, failure);
      } finally {
        context.observer.ended("download", file.path, bytes);
      }
    },
    (reason) => failed.abort(reason),
  );
  return known;
}

/** Where two rules write one file, the later rule wins, as it would if they were carried out one by one. */
async function planAll(
  store: Store,
  rules: DownloadRule[],
  context: TransferContext,
): Promise<Iterable<PlannedDownload>> {
  const plans = await Promise.all(
    rules.map(async (rule) => {
      try {
        const objects = await listObjects(store.client, store.patience, rule, context.signal);
        return planDownloads(rule, objects, context.workdir, context.compression);
      } catch (failure) {
        context.signal.throwIfAborted();
        throw transferError(judge(failure).fault, `download of ${rule.bucket}/${rule.prefix}`, failure);
      }
    }),
  );
  return new Map(plans.flatMap((plan) => [...plan])).values();
}

/** @returns the bytes that came over the wire. */
async function downloadFile(
  store: Store,
  file: PlannedDownload,
  root: SafeRoot,
  signal: AbortSignal,
): Promise<number> {
  const directory = dirname(file.path);
  await root.make(directory);
  const hidden = join(directory, ownName("download"));
  const expanded = join(directory, ownName("download"));
  try {
    const bytes = await fetchInto(hidden, store, file, signal);
    if (file.expand) await expand(hidden, expanded, signal);
    await onDisk(file.path, rename(file.expand ? expanded : hidden, file.path));
    return bytes;
  } finally {
    await rm(hidden, { force: true });
    await rm(expanded, { force: true });
  }
}

async function fetchInto(
  path: string,
  store: Store,
  file: PlannedDownload,
  signal: AbortSignal,
): Promise<number> {
  const handle = await onDisk(path, open(path, "wx"));
  try {
    return await getObject(store.client, store.patience, file, { handle, path }, signal);
  } finally {
    await handle.close();
  }
}

async function expand(from: string, to: string, signal: AbortSignal): Promise<void> {
  try {
    await pipeline(createReadStream(from), createGunzip(), createWriteStream(to, { flags: "wx" }), {
      signal,
    });
  } catch (cause) {
    signal.throwIfAborted();
    const inflating = systemCode(cause)?.startsWith("Z_") ?? false;
    throw inflating
      ? new Refused('the job has compression on, and this ".gz" object is not gzip', { cause })
      : new LocalFailure(to, cause);
  }
}
