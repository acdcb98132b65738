/** The table on which snapshots are tested: a fake API, machines with directories, a gate that the test opens and shuts. */
import { lstat, mkdir, readdir, readFile, readlink, realpath } from "node:fs/promises";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import type { DownloadRule, UploadRule } from "../../../src/contract/index.ts";
import { createApiClient } from "../../src/api/client.ts";
import type {
  CommittedGeneration,
  RestoredGeneration,
  SnapshotContext,
  SnapshotSettings,
  Snapshots,
} from "../../src/snapshot/ports.ts";
import type { Restored } from "../../src/snapshot/restored.ts";
import type { ChunkSizes } from "../../src/snapshot/sizes.ts";
import { createSnapshots } from "../../src/snapshot/snapshots.ts";
import { isOwnFile } from "../../src/transfer/object-key.ts";
import type { Mirror } from "../../src/transfer/ports.ts";
import { TestGate, temporaryDirectory } from "../transfer/bench.ts";
import { SnapshotServer } from "./snapshot-server.ts";

export const prefix = "ckpt/";

/** Many chunks of few bytes. */
export const tinySizes: ChunkSizes = {
  chunkBytes: 4096,
  smallBytes: 512,
  keptBytes: 128,
  undersizedBytes: 1024,
  undersizedMax: 16,
};

/** One attempt on one machine. */
export interface Machine {
  /** The command's working directory. */
  dir: string;
  /** The directory that is cut. */
  out: string;
  gate: TestGate & { ended: string[] };
  attempt: AbortController;
  context: SnapshotContext;
  snapshots: Snapshots;
  problems: string[];
  observed: string[];
  committed: CommittedGeneration[];
  restored: RestoredGeneration[];
  /** Starts cutting `out`. */
  start(rule?: Partial<UploadRule>, restored?: Restored[]): Promise<Mirror>;
  restore(rule?: Partial<DownloadRule>): Promise<Restored | undefined>;
}

export async function startServer(): Promise<SnapshotServer> {
  const server = await SnapshotServer.start();
  onTestFinished(() => server.stop());
  return server;
}

/** Claims the job for a new machine. */
export async function newMachine(
  server: SnapshotServer,
  settings: Partial<SnapshotSettings> = {},
  machine_id = `machine-${Math.random()}`,
): Promise<Machine> {
  const dir = await realpath(await temporaryDirectory());
  const out = join(dir, "out");
  await mkdir(out);
  const ended: string[] = [];
  const gate = Object.assign(new TestGate(), { ended });
  gate.end = (reason: string) => void ended.push(reason);
  const attempt = new AbortController();
  const problems: string[] = [];
  const observed: string[] = [];
  const committed: CommittedGeneration[] = [];
  const restored: RestoredGeneration[] = [];
  const context: SnapshotContext = {
    gate,
    lease: server.claim(),
    observer: {
      began: (direction, path) => observed.push(`began ${direction} ${path.slice(dir.length + 1)}`),
      ended: (direction, path, bytes) =>
        observed.push(`ended ${direction} ${path.slice(dir.length + 1)} ${bytes}`),
    },
    signal: attempt.signal,
    compression: false,
    workdir: dir,
    onProblem: (message) => problems.push(message),
    onCommitted: (generation) => committed.push(generation),
    onRestored: (generation) => restored.push(generation),
  };
  const snapshots = createSnapshots(
    {
      tries: 4,
      backoffBaseMs: 5,
      patienceFloorMs: 500,
      stallTimeoutMs: 20_000,
      apiPatienceMs: 2000,
      ...settings,
    },
    { api: createApiClient(server.url, {}), identity: { machine_id, container_group_id: "group" } },
  );
  const rule = { prefix, local_path: "out", mode: "snapshot" as const };
  return {
    dir,
    out,
    gate,
    attempt,
    context,
    snapshots,
    problems,
    observed,
    committed,
    restored,
    async start(changes = {}, from = []) {
      const times = { min_interval_seconds: 0, quiet_seconds: 0.05 };
      const mirror = await snapshots.start(
        { ...rule, ...times, direction: "upload", ...changes },
        from,
        context,
      );
      onTestFinished(() => mirror.abandon());
      return mirror;
    },
    restore: (changes = {}) => snapshots.restore({ ...rule, direction: "download", ...changes }, context),
  };
}

/** What a directory holds, told so that two of them can be compared. Times in microseconds: Node sets no finer ones. */
export async function treeOf(root: string): Promise<Record<string, string>> {
  const tree: Record<string, string> = {};
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    if (isOwnFile(entry.name)) throw new Error(`${entry.name} was left behind`);
    const path = join(entry.parentPath, entry.name);
    const { mode, mtimeNs } = await lstat(path, { bigint: true });
    const attributes = `${(mode & 0o7777n).toString(8)} ${mtimeNs / 1000n}`;
    const name = path.slice(root.length + 1);
    if (entry.isSymbolicLink()) tree[name] = `link to ${await readlink(path)}`;
    else if (entry.isDirectory()) tree[name] = `directory ${attributes}`;
    else tree[name] = `file ${attributes} ${(await readFile(path)).toString("base64")}`;
  }
  return tree;
}

/** Nothing of ours is left beside or inside the directory. */
export async function leftoversOf({ dir, out }: Machine): Promise<string[]> {
  return [...(await readdir(dir)), ...(await readdir(out))].filter(isOwnFile);
}
