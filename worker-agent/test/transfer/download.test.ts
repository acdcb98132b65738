import { randomBytes } from "node:crypto";
import { mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import type { DownloadRule } from "../../../src/contract/index.ts";
import { bucket, failureOf, setUp, temporaryDirectory } from "./bench.ts";

const rule: DownloadRule = { bucket, prefix: "in/", local_path: "data", direction: "download" };

test("a fresh job: nothing is under the prefix, and that is fine", async () => {
  const { transfers, context } = await setUp();
  expect((await transfers.download([rule], context)).size).toBe(0);
});

test("all objects of all pages arrive, directory markers do not, and the mirror is told their states", async () => {
  const { storage, transfers, context, dir } = await setUp();
  storage.pageSize = 3;
  for (let number = 0; number < 10; number += 1) storage.put(bucket, `in/sub ${number}/file`, `n${number}`);
  storage.put(bucket, "in/sub 1/", "");
  storage.put(bucket, "elsewhere/file", "no");
  const known = await transfers.download([rule], context);
  expect(known.size).toBe(10);
  expect(await readFile(join(dir, "data/sub 7/file"), "utf8")).toBe("n7");
  const state = known.get(join(dir, "data/sub 7/file"));
  expect(state).toMatchObject({ sizeBytes: 2, object: `${bucket}/in/sub 7/file` });
  expect((await readdir(join(dir, "data"))).length).toBe(10);
});

test("the pattern is searched in the whole key", async () => {
  const { storage, transfers, context } = await setUp();
  storage.put(bucket, "in/step_1.bin", "1");
  storage.put(bucket, "in/step_1.txt", "2");
  const known = await transfers.download([{ ...rule, pattern: "^in/.*bin" }], context);
  expect([...known.values()].map((file) => file.object)).toEqual([`${bucket}/in/step_1.bin`]);
});

test("a truncated download is resumed where it broke, and verified", async () => {
  const { storage, transfers, context, dir } = await setUp();
  const content = randomBytes(3_000_000);
  storage.put(bucket, "in/big", content);
  let cuts = 0;
  storage.faults.push(({ method, key }) =>
    method === "GET" && key !== "" && cuts++ < 2 ? { kind: "cut", afterBytes: 700_000 } : undefined,
  );
  await transfers.download([rule], context);
  expect((await readFile(join(dir, "data/big"))).equals(content)).toBe(true);
  const ranges = storage.requests.filter(({ key }) => key === "in/big").map(({ headers }) => headers.range);
  expect(ranges[0]).toBeUndefined();
  expect(ranges.slice(1).every((range) => /^bytes=[1-9]\d+-$/.test(range ?? ""))).toBe(true);
});

test("an object replaced in the middle of its download is never stitched together from two contents", async () => {
  const { storage, transfers, context, dir } = await setUp();
  const [older, newer] = [randomBytes(2_000_000), randomBytes(2_000_000)];
  storage.put(bucket, "in/big", older);
  let gets = 0;
  storage.faults.push(({ method, key }) => {
    if (method !== "GET" || key === "") return undefined;
    gets += 1;
    if (gets === 2) storage.put(bucket, "in/big", newer);
    return gets === 1 ? { kind: "cut", afterBytes: 900_000 } : undefined;
  });
  await transfers.download([rule], context);
  expect((await readFile(join(dir, "data/big"))).equals(newer)).toBe(true);
});

test.each(["in/../../escaped", "in//etc/escaped", "in/a/../../../escaped", "in/nul\0", "in/./dot"])(
  "a key with .. or the like writes nothing outside local_path: %j",
  async (key) => {
    const { storage, transfers, context, dir } = await setUp();
    storage.put(bucket, "in/good", "good");
    storage.put(bucket, key, "bad");
    const failure = await failureOf(transfers.download([rule], context));
    expect(failure.fault).toBe("config");
    expect(failure.message).toContain(JSON.stringify(key).slice(1, -1));
    expect(await readdir(dir)).toEqual([]);
  },
);

test("a symlinked directory below local_path leads no key outside", async () => {
  const { storage, transfers, context, dir } = await setUp();
  const outside = await temporaryDirectory();
  await mkdir(join(dir, "data"));
  await symlink(outside, join(dir, "data/link"));
  storage.put(bucket, "in/link/sub/file", "bad");
  const failure = await failureOf(transfers.download([rule], context));
  expect(failure.message).toContain("in/link/sub/file");
  expect(await readdir(outside)).toEqual([]);
});

test("a file that cannot be downloaded fails the download, by name, and leaves no trace", async () => {
  const { storage, transfers, context, dir } = await setUp();
  storage.put(bucket, "in/model", "x");
  storage.faults.push(({ key }) => (key === "in/model" ? { kind: "answer", status: 500 } : undefined));
  const failure = await failureOf(transfers.download([rule], context));
  expect(failure.fault).toBe("storage");
  expect(failure.message).toContain("in/model");
  expect(failure.message).toContain(join(dir, "data/model"));
  expect(storage.requests.filter(({ key }) => key === "in/model").length).toBe(4);
  expect(await readdir(join(dir, "data"))).toEqual([]);
});

test("no permission, or no such bucket: the user's to mend, and never tried again", async () => {
  const { storage, transfers, context } = await setUp();
  const missing = await failureOf(transfers.download([{ ...rule, bucket: "nowhere" }], context));
  expect([missing.fault, storage.requests.length]).toEqual(["config", 1]);
  storage.faults.push(() => ({ kind: "answer", status: 403, code: "AccessDenied" }));
  const denied = await failureOf(transfers.download([rule], context));
  expect([denied.fault, storage.requests.length]).toEqual(["config", 2]);
  expect(denied.message).toContain("AccessDenied");
});

test("a key too long for any file system would make a job travel for ever: it fails the job, by name", async () => {
  const { storage, transfers, context, dir } = await setUp();
  storage.put(bucket, `in/${"x".repeat(300)}`, "x");
  const failure = await failureOf(transfers.download([rule], context));
  expect(failure.fault).toBe("config");
  expect(failure.message).toContain(dir);
});

test("compressed objects are expanded under their plain name, others are left alone", async () => {
  const { storage, transfers, context, dir } = await setUp();
  storage.put(bucket, "in/log.txt.gz", gzipSync("hello"));
  storage.put(bucket, "in/plain.txt", "as it is");
  await transfers.download([rule], { ...context, compression: true });
  expect(await readFile(join(dir, "data/log.txt"), "utf8")).toBe("hello");
  expect((await readdir(join(dir, "data"))).sort()).toEqual(["log.txt", "plain.txt"]);
});

test("a .gz that is no gzip fails the download instead of being passed on", async () => {
  const { storage, transfers, context } = await setUp();
  storage.put(bucket, "in/log.txt.gz", "not at all");
  const failure = await failureOf(transfers.download([rule], { ...context, compression: true }));
  expect(failure.message).toContain("in/log.txt.gz");
  expect(failure.fault).toBe("config");
});

test("two rules for one directory: the later rule's file wins, as it would one after the other", async () => {
  const { storage, transfers, context, dir } = await setUp();
  storage.put(bucket, "in/weights", "base");
  storage.put(bucket, "checkpoint/weights", "trained");
  await transfers.download([rule, { ...rule, prefix: "checkpoint/" }], context);
  expect(await readFile(join(dir, "data/weights"), "utf8")).toBe("trained");
});

test("a file that is there already is replaced whole", async () => {
  const { storage, transfers, context, dir } = await setUp();
  await mkdir(join(dir, "data"));
  await writeFile(join(dir, "data/weights"), "something much longer than the new one");
  storage.put(bucket, "in/weights", "new");
  await transfers.download([rule], context);
  expect(await readFile(join(dir, "data/weights"), "utf8")).toBe("new");
});

test("an attempt that ends takes its downloads with it, with its own reason", async () => {
  const { storage, transfers, context, attempt, observed } = await setUp();
  storage.put(bucket, "in/weights", "x");
  const never = Promise.withResolvers<void>();
  storage.faults.push(({ key }) =>
    key === "in/weights" ? { kind: "hold", until: never.promise } : undefined,
  );
  const reason = new Error("superseded");
  const download = transfers.download([rule], context);
  await Promise.all([
    expect(download).rejects.toBe(reason),
    storage
      .until(() => storage.requests.some(({ key }) => key === "in/weights"))
      .then(() => attempt.abort(reason)),
  ]);
  never.resolve();
  expect(observed.map((line) => line.split(" ")[0])).toEqual(["began", "ended"]);
});
