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
import { Ended, LocalFailure, onDisk, Refused, systemCode, transferError } from "./failures.ts";
import { fetchVerified } from "./fetch-verified.ts";
import { stateAt } from "./file-state.ts";
import { ownName } from "./object-key.ts";
import type { ObjectStore } from "./object-store.ts";
import type { KnownFiles, TransferContext } from "./ports.ts";
import { judge } from "./retry.ts";
import { SafeRoot } from "./safe-directory.ts";
import type { SharedBounds } from "./shared-bounds.ts";

/** Files that are announced together, twice as many as come at once, and up to which size. */
const announcedFiles = 16;
const announcedBytes = 1024 * 1024;

export interface PlacedRule {
  rule: DownloadRule;
  store: ObjectStore;
}

export async function download(
  bounds: SharedBounds,
  rules: PlacedRule[],
  context: TransferContext,
): Promise<KnownFiles> {
  const failed = new AbortController();
  const signal = AbortSignal.any([context.signal, failed.signal]);
  const known: KnownFiles = new Map();
  const roots = new Map<string, SafeRoot>();
  const plan = await planAll(rules, context);
  await forEachBounded(
    plan.entries(),
    bounds.concurrentFiles,
    async ([index, file]) => {
      if (index % announcedFiles === 0) announce(plan.slice(index, index + announcedFiles), signal);
      const root = roots.get(file.root) ?? new SafeRoot(file.root);
      roots.set(file.root, root);
      const object = file.store.describe(file.key);
      context.observer.began("download", file.path);
      let bytes = 0;
      try {
        bytes = await bounds.files.run(signal, () => downloadFile(bounds, file, root, signal, context));
        known.set(file.path, { ...(await stateAt(file.path)), object });
      } catch (failure) {
        if (failure instanceof Ended) throw failure;
        signal.throwIfAborted();
        throw transferError(judge(failure).fault, `download of ${object} to ${file.path}`, failure);
      } finally {
        context.observer.ended("download", file.path, bytes);
      }
    },
    (reason) => failed.abort(reason),
  );
  return known;
}

/** Small files are done sooner than a question about each of them. Large ones would come long after it. */
function announce(files: PlannedDownload[], signal: AbortSignal): void {
  for (const { reader, sizeBytes } of files) if (sizeBytes <= announcedBytes) reader.announce(signal);
}

/** Where two rules write one file, the later rule wins, as it would if they were carried out one by one. */
async function planAll(rules: PlacedRule[], context: TransferContext): Promise<PlannedDownload[]> {
  const plans = await Promise.all(
    rules.map(async ({ rule, store }) => {
      try {
        const objects = await store.list(rule.prefix, context.signal);
        return await planDownloads(store, rule, objects, context.workdir, context.compression);
      } catch (failure) {
        if (failure instanceof Ended) throw failure;
        context.signal.throwIfAborted();
        throw transferError(judge(failure).fault, `download of ${store.describe(rule.prefix)}`, failure);
      }
    }),
  );
  return [...new Map(plans.flatMap((plan) => [...plan])).values()];
}

/** @returns the bytes that came over the wire. */
async function downloadFile(
  bounds: SharedBounds,
  file: PlannedDownload,
  root: SafeRoot,
  signal: AbortSignal,
  context: TransferContext,
): Promise<number> {
  const directory = dirname(file.path);
  await root.make(directory);
  const hidden = join(directory, ownName("download"));
  const expanded = join(directory, ownName("download"));
  try {
    const bytes = await fetchInto(hidden, bounds, file, signal, context);
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
  bounds: SharedBounds,
  { store, reader, key, sizeBytes }: PlannedDownload,
  signal: AbortSignal,
  context: TransferContext,
): Promise<number> {
  const handle = await onDisk(path, open(path, "wx+"));
  try {
    return await fetchVerified(
      reader,
      store.etagsAreMd5,
      { handle, path, sizeBytes },
      bounds,
      signal,
      (problem) => context.onProblem?.(`${store.describe(key)}: ${problem}`),
    );
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
