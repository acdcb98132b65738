import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import type { UploadRule } from "../../../src/contract/index.ts";
import { bucket, setUp } from "./bench.ts";
import type { SeenRequest } from "./s3-server.ts";

const rule: UploadRule = { bucket, prefix: "ckpt/", local_path: "out", direction: "upload" };

/** One try per request: a lapse that counted as a failure would end these tests at once. */
async function uploadUnderWay(sizeBytes: number, held: (request: SeenRequest) => boolean) {
  const bench = await setUp({ tries: 1 });
  const out = join(bench.dir, "out");
  await mkdir(out);
  await writeFile(join(out, "a"), Buffer.alloc(sizeBytes, 1));
  const release = Promise.withResolvers<void>();
  let holds = 0;
  bench.storage.faults.push((request) => {
    if (!held(request)) return undefined;
    holds += 1;
    return holds === 1 ? { kind: "hold", until: release.promise } : undefined;
  });
  const mirror = await bench.transfers.mirror(rule, new Map(), bench.context);
  onTestFinished(() => mirror.abandon());
  await bench.storage.until(() => holds === 1);
  return { ...bench, out, mirror, release };
}

test("trust lapses during an upload: it's aborted, and goes on after", async () => {
  const { storage, gate, mirror, release, observed } = await uploadUnderWay(
    10,
    ({ method }) => method === "PUT",
  );
  gate.lapse();
  const finish = mirror.finish();
  await storage.until(() => storage.hangups === 1);
  release.resolve();
  const before = storage.requests.length;
  gate.restore();
  await finish;
  expect(storage.changes.map(({ key }) => key)).toEqual(["ckpt/a"]);
  expect(storage.requests.length).toBe(before + 1);
  expect(observed.length).toBe(2);
});

test("trust lapses before a multipart upload completes: no part of it is left, and it is done anew after", async () => {
  const sizeBytes = 17 * 1024 * 1024;
  const { storage, gate, mirror, release } = await uploadUnderWay(
    sizeBytes,
    ({ method, query }) => method === "POST" && query.has("uploadId"),
  );
  gate.lapse();
  await storage.until(() => storage.hangups === 1);
  release.resolve();
  const finish = mirror.finish();
  gate.restore();
  await finish;
  await storage.until(() => storage.unfinishedUploads === 0);
  expect(storage.changes.map((change) => change.sizeBytes)).toEqual([sizeBytes]);
});

test("without trust nothing is uploaded and nothing is deleted", async () => {
  const { storage, transfers, context, gate, dir } = await setUp();
  await mkdir(join(dir, "out"));
  await writeFile(join(dir, "out/a"), "x");
  gate.lapse();
  const mirror = await transfers.mirror(rule, new Map(), context);
  const finish = mirror.finish();
  // A download is no effect: it goes on, and shows that time has passed.
  await transfers.download([{ ...rule, direction: "download" }], context);
  expect(storage.requests.map(({ method }) => method)).toEqual(["GET"]);
  gate.restore();
  await finish;
  expect(storage.keys(bucket)).toEqual(["ckpt/a"]);
});

test("superseded in the middle of an upload: everything stops with that reason", async () => {
  const { storage, gate, mirror, release } = await uploadUnderWay(10, ({ method }) => method === "PUT");
  const reason = new Error("superseded by attempt 7");
  const finish = expect(mirror.finish()).rejects.toBe(reason);
  gate.supersede(reason);
  await finish;
  await storage.until(() => storage.hangups === 1);
  release.resolve();
  expect(storage.changes).toEqual([]);
});

test("superseded while the outputs go up: the upload rejects with that reason", async () => {
  const { storage, transfers, context, gate, dir } = await setUp();
  await writeFile(join(dir, "a"), "x");
  const reason = new Error("superseded");
  const release = Promise.withResolvers<void>();
  storage.faults.push(({ method }) =>
    method === "PUT" ? { kind: "hold", until: release.promise } : undefined,
  );
  const upload = expect(transfers.upload({ ...rule, local_path: dir }, dir, context)).rejects.toBe(reason);
  await storage.until(() => storage.requests.length === 1);
  gate.supersede(reason);
  await upload;
  await storage.until(() => storage.hangups === 1);
  release.resolve();
  expect(storage.changes).toEqual([]);
});
