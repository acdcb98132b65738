/** The same table for either storage, with a proxy in front of it that does what networks do. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import type { DownloadRule, UploadRule } from "../../../src/contract/index.ts";
import { createApiClient } from "../../src/api/client.ts";
import type { TransferSettings } from "../../src/transfer/ports.ts";
import { createTransfers } from "../../src/transfer/transfers.ts";
import { bucket, noApi, quick, setUpContext } from "./bench.ts";
import { FaultProxy, type Passing } from "./fault-proxy.ts";
import { identity } from "./managed-bench.ts";
import { ManagedServer } from "./managed-server.ts";
import { S3Server } from "./s3-server.ts";
import type { Change, Stored } from "./stored-object.ts";

export const storeNames = ["s3", "managed"] as const;
export type StoreName = (typeof storeNames)[number];

export interface Rules {
  /** in/ → data */
  download: DownloadRule;
  /** out → out/ */
  upload: UploadRule;
}

/** What tests do to a storage behind the agent's back, and what they see there. */
interface FarSide {
  put(key: string, content: string | Buffer): void;
  /** What an `after` rule has put there. */
  output(key: string): Stored | undefined;
  /** What a mirror has put there. */
  file(key: string): Stored | undefined;
  changes: Change[];
  unfinishedUploads(): number;
  until(condition: () => boolean): Promise<void>;
}

export const isRead = ({ method, url }: Passing) => method === "GET" && !url.includes("list-type");
export const isWrite = ({ method }: Passing) => method === "PUT";

export async function setUpBoth(name: StoreName, settings: Partial<TransferSettings> = {}) {
  const { farSide, proxy, transfers, lease } = await (name === "s3" ? s3(settings) : managed(settings));
  onTestFinished(() => proxy.close());
  const place = name === "s3" ? { bucket } : {};
  const rules: Rules = {
    download: { ...place, prefix: "in/", local_path: "data", direction: "download" },
    upload: { ...place, prefix: "out/", local_path: "out", direction: "upload" },
  };
  const bench = await setUpContext(lease);
  const out = join(bench.dir, "out");
  await mkdir(out);
  return { ...bench, out, data: join(bench.dir, "data"), farSide, proxy, transfers, rules };
}

async function s3(settings: Partial<TransferSettings>) {
  const server = await S3Server.start(bucket);
  onTestFinished(() => server.close());
  const { origin, pathname } = new URL(server.url);
  const proxy = await FaultProxy.before(origin);
  const farSide: FarSide = {
    put: (key, content) => server.put(bucket, key, content),
    output: (key) => server.get(bucket, key),
    file: (key) => server.get(bucket, key),
    changes: server.changes,
    unfinishedUploads: () => server.unfinishedUploads,
    until: (condition) => server.until(condition),
  };
  const endpointUrl = `${proxy.url}${pathname}`;
  const transfers = createTransfers({ ...quick, endpointUrl, ...settings }, noApi);
  return { farSide, proxy, transfers, lease: undefined };
}

async function managed(settings: Partial<TransferSettings>) {
  const server = await ManagedServer.start();
  onTestFinished(() => server.close());
  const proxy = await FaultProxy.before(server.url);
  server.objectOrigin = proxy.url;
  const farSide: FarSide = {
    put: (key, content) => server.put(key, content),
    output: (key) => server.outputs.get(key),
    file: (key) => server.files.get(key),
    changes: server.changes,
    unfinishedUploads: () => server.unfinishedUploads,
    until: (condition) => server.until(condition),
  };
  const api = createApiClient(server.url, { "X-Kelpie-Key": "key" });
  const nobody = { accessKeyId: "", secretAccessKey: "" };
  const transfers = createTransfers({ ...quick, ...nobody, ...settings }, { api, identity });
  return { farSide, proxy, transfers, lease: server.lease };
}
