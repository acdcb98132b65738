/** The table on which transfers are tested: a storage, a directory, a gate that the test opens and shuts. */
import { randomUUID } from "node:crypto";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import type { UploadRule } from "../../../src/contract/index.ts";
import {
  type EffectGate,
  type KnownFiles,
  type Mirror,
  type TransferContext,
  TransferError,
  type TransferLease,
  type TransferSettings,
  type Transfers,
} from "../../src/transfer/ports.ts";
import type { ManagedSettings } from "../../src/transfer/stores/managed/attempt-storage.ts";
import { createTransfers } from "../../src/transfer/transfers.ts";
import { S3Server } from "./s3-server.ts";

/** Trust, in the hands of a test. */
export class TestGate implements EffectGate {
  #abort = new AbortController();
  #open = Promise.resolve();
  #reopen = () => {};
  #refuse = (_reason: unknown) => {};

  ready(): Promise<void> {
    return this.#open;
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  lapse(): void {
    const open = Promise.withResolvers<void>();
    open.promise.catch(() => {});
    this.#open = open.promise;
    this.#reopen = open.resolve;
    this.#refuse = open.reject;
    this.#abort.abort(new Error("trust lapsed"));
  }

  restore(): void {
    this.#abort = new AbortController();
    this.#reopen();
  }

  supersede(reason: unknown): void {
    this.lapse();
    this.#refuse(reason);
  }

  end(reason: string): void {
    this.supersede(new Error(reason));
  }
}

export interface Bench {
  storage: S3Server;
  transfers: Transfers;
  /** The command's working directory. */
  dir: string;
  gate: TestGate;
  attempt: AbortController;
  context: TransferContext;
  problems: string[];
  /** What the observer heard: "began upload a", "ended upload a 3". */
  observed: string[];
}

export const bucket = "work";

/** For rules that name a bucket: nobody calls the API. */
export const noApi: ManagedSettings = {
  api: {
    call: async ({ path }) => {
      throw new Error(`nobody should have called ${path}`);
    },
  },
  identity: { machine_id: "machine", container_group_id: "group" },
};

/** Fast, so that tests wait for events and not for clocks. */
export const quick: Omit<TransferSettings, "endpointUrl"> = {
  accessKeyId: "local",
  secretAccessKey: "localsecret",
  region: "auto",
  stabilityMs: 10,
  maxWaitMs: 1000,
  debounceMs: 0,
  tries: 4,
  backoffBaseMs: 5,
};

export async function temporaryDirectory(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "kelpie-test-"));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

function aLease(): TransferLease {
  return { jobId: randomUUID(), attempt: 1, token: randomUUID() };
}

/** What stands around transfers, whatever the storage. */
export async function setUpContext(lease: TransferLease = aLease()) {
  const dir = await temporaryDirectory();
  const gate = new TestGate();
  const attempt = new AbortController();
  const problems: string[] = [];
  const observed: string[] = [];
  const context: TransferContext = {
    gate,
    lease,
    observer: {
      began: (direction, path) => observed.push(`began ${direction} ${path}`),
      ended: (direction, path, bytes) => observed.push(`ended ${direction} ${path} ${bytes}`),
    },
    signal: attempt.signal,
    compression: false,
    workdir: dir,
    onProblem: (message) => problems.push(message),
  };
  return { dir, gate, attempt, problems, observed, context };
}

export async function setUp(settings: Partial<TransferSettings> = {}): Promise<Bench> {
  const storage = await S3Server.start(bucket);
  onTestFinished(() => storage.close());
  const transfers = createTransfers({ ...quick, endpointUrl: storage.url, ...settings }, noApi);
  return { ...(await setUpContext()), storage, transfers };
}

/** The TransferError that the work fails with. */
export async function failureOf(work: Promise<unknown>): Promise<TransferError> {
  const failure = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(failure instanceof TransferError)) throw new Error(`no TransferError: ${failure}`);
  return failure;
}

/** The rule that the mirrors of the tests carry out. */
export const rule: UploadRule = { bucket, prefix: "ckpt/", local_path: "out", direction: "upload" };

export async function mirrorOn(bench: Bench, known: KnownFiles = new Map(), its = rule): Promise<Mirror> {
  const mirror = await bench.transfers.mirror(its, known, bench.context);
  onTestFinished(() => mirror.abandon());
  return mirror;
}

export async function setUpWithDirectory(
  settings?: Partial<TransferSettings>,
): Promise<Bench & { out: string }> {
  const bench = await setUp(settings);
  const out = join(bench.dir, "out");
  await mkdir(out);
  return { ...bench, out };
}

/** What became visible, in order: "put a", "delete b". */
export function story(bench: Bench): string[] {
  return bench.storage.changes.map(({ kind, key }) => `${kind} ${key.replace("ckpt/", "")}`);
}
