/** The transfer layer, put together. */
import type { DownloadRule, StorageArea, UploadRule } from "../../../src/contract/index.ts";
import { download } from "./download.ts";
import { withReason } from "./failures.ts";
import { HttpClient } from "./http-client.ts";
import { DirectoryMirror } from "./mirror.ts";
import type { ObjectStore } from "./object-store.ts";
import {
  type Mirror,
  type TransferContext,
  TransferError,
  type TransferSettings,
  type Transfers,
} from "./ports.ts";
import { createBounds } from "./shared-bounds.ts";
import { type ManagedSettings, ManagedStorage } from "./stores/managed/attempt-storage.ts";
import { ManagedStore } from "./stores/managed/managed-store.ts";
import { S3Client } from "./stores/s3/s3-client.ts";
import { S3Store } from "./stores/s3/s3-store.ts";
import { uploadDirectory } from "./upload-directory.ts";

/** All transfers of one instance share its bounds on files and requests at once. */
export function createTransfers(settings: TransferSettings, managed: ManagedSettings): Transfers {
  const bounds = createBounds(settings);
  const { concurrentRequests, patience } = bounds;
  const http = new HttpClient({ concurrentRequests, stallTimeoutMs: settings.stallTimeoutMs });
  const s3 = new S3Client(http, settings);
  const { apiPatienceMs } = settings;
  const managedStorage = new ManagedStorage(http, { ...managed, ...patience, apiPatienceMs });

  const storeOf = (
    rule: DownloadRule | UploadRule,
    context: TransferContext,
    area: StorageArea,
  ): ObjectStore => {
    refuseSnapshot(rule);
    if (rule.bucket === undefined) return new ManagedStore(managedStorage.of(context), area);
    if (settings.accessKeyId === "" || settings.secretAccessKey === "")
      throw new TransferError(
        "config",
        `a rule names the bucket "${rule.bucket}", but this node has no AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY`,
      );
    return new S3Store(s3, patience, rule.bucket);
  };

  return {
    download: (rules, context) =>
      withReason(async () => {
        const placed = rules.map((rule) => ({ rule, store: storeOf(rule, context, "files") }));
        return await download(bounds, placed, context);
      }),
    mirror: (rule, known, context) =>
      withReason(async () => {
        const store = storeOf(rule, context, "files");
        const mirror = await DirectoryMirror.start({ store, bounds, settings, rule }, known, context);
        const running: Mirror = {
          broken: mirror.broken,
          finish: () => withReason(() => mirror.finish()),
          abandon: () => mirror.abandon(),
        };
        return running;
      }),
    upload: (rule, from, context) =>
      withReason(() => uploadDirectory(storeOf(rule, context, "outputs"), bounds, rule, from, context)),
  };
}

/** Those are carried out by snapshot/: as a mirror such a rule would find nothing, or leave what nobody resumes from. */
function refuseSnapshot({ mode, prefix }: DownloadRule | UploadRule): void {
  if (mode === "snapshot")
    throw new TransferError(
      "config",
      `the rule for "${prefix}" is a snapshot, which does not go file by file`,
    );
}
