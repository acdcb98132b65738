import { createHash } from "node:crypto";
import { appendFile, rename, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import { bucket, mirrorOn, setUpWithDirectory, story } from "./bench.ts";

test("a file rewritten in place without pause is never visible torn, and ends with its newest content", async () => {
  const bench = await setUpWithDirectory({ maxWaitMs: 60 });
  const sizeBytes = 400_000;
  const fill = (byte: number) => Buffer.alloc(sizeBytes, byte);
  const whole = new Set(Array.from({ length: 256 }, (_, byte) => hashOf(fill(byte))));
  const path = join(bench.out, "a");
  await writeFile(path, fill(0));
  const mirror = await mirrorOn(bench);
  const writing = new AbortController();
  const writer = (async () => {
    for (let byte = 1; !writing.signal.aborted; byte = (byte + 1) % 256) {
      await writeFile(path, fill(byte), { flag: "r+" });
      await delay(7);
    }
  })();
  await bench.storage.until(() => bench.storage.requests.length >= 6);
  writing.abort();
  await writer;
  await writeFile(path, fill(99), { flag: "r+" });
  await mirror.finish();
  expect(bench.storage.changes.filter(({ sha256 }) => !whole.has(sha256))).toEqual([]);
  expect(bench.storage.get(bucket, "ckpt/a")?.sha256).toBe(hashOf(fill(99)));
});

test("a log that grows all the time goes up while it grows, as a beginning of itself", async () => {
  const bench = await setUpWithDirectory({ maxWaitMs: 50 });
  const path = join(bench.out, "log");
  await writeFile(path, "");
  const mirror = await mirrorOn(bench);
  const writing = new AbortController();
  const writer = (async () => {
    for (let line = 0; !writing.signal.aborted; line += 1) {
      await appendFile(path, `line ${line}\n`);
      await delay(3);
    }
  })();
  await bench.storage.until(() => (bench.storage.get(bucket, "ckpt/log")?.sizeBytes ?? 0) > 0);
  expect(writing.signal.aborted).toBe(false);
  const seen = bench.storage.text(bucket, "ckpt/log") ?? "";
  writing.abort();
  await writer;
  await mirror.finish();
  expect(seen.startsWith("line 0\nline 1\n")).toBe(true);
  expect(bench.storage.text(bucket, "ckpt/log")?.startsWith(seen)).toBe(true);
  expect(bench.storage.get(bucket, "ckpt/log")?.sizeBytes).toBe((await stat(path)).size);
});

test("a large checkpoint that is being written is not visible before it is complete", async () => {
  const bench = await setUpWithDirectory({ maxWaitMs: 50 });
  const path = join(bench.out, "weights");
  const mirror = await mirrorOn(bench);
  const chunk = Buffer.alloc(2 * 1024 * 1024, 5);
  // Until the mirror has said that it keeps changing, and then a while longer: it has looked, and let it be.
  for (let chunks = 0; chunks < 12 || (bench.problems.length === 0 && chunks < 200); chunks += 1) {
    await appendFile(path, chunk);
    await delay(20);
  }
  await mirror.finish();
  const { size } = await stat(path);
  expect(bench.storage.changes.map((change) => change.sizeBytes)).toEqual([size]);
});

test("a large file rewritten in place while its parts go up is begun anew", async () => {
  const bench = await setUpWithDirectory();
  const path = join(bench.out, "weights");
  const newer = Buffer.alloc(17 * 1024 * 1024, 2);
  await writeFile(path, Buffer.alloc(newer.byteLength, 1));
  const release = Promise.withResolvers<void>();
  let held = 0;
  bench.storage.faults.push(({ query }) =>
    query.get("partNumber") === "3" && held++ === 0 ? { kind: "hold", until: release.promise } : undefined,
  );
  const mirror = await mirrorOn(bench);
  await bench.storage.until(() => held === 1);
  await writeFile(path, newer, { flag: "r+" });
  release.resolve();
  await mirror.finish();
  expect(bench.storage.changes.map((change) => change.sha256)).toEqual([hashOf(newer)]);
  expect(bench.storage.unfinishedUploads).toBe(0);
});

test("a file replaced by rename again and again shows only whole contents, and the last", async () => {
  const bench = await setUpWithDirectory();
  const contents = Array.from({ length: 20 }, (_, number) => `content ${number} `.repeat(30_000));
  const mirror = await mirrorOn(bench);
  for (const content of contents) {
    await writeFile(join(bench.dir, "not-yet"), content);
    await rename(join(bench.dir, "not-yet"), join(bench.out, "a"));
    await delay(15);
  }
  await mirror.finish();
  const whole = new Set(contents.map((content) => hashOf(Buffer.from(content))));
  expect(bench.storage.changes.every(({ sha256 }) => whole.has(sha256))).toBe(true);
  expect(bench.storage.text(bucket, "ckpt/a")).toBe(contents.at(-1));
});

test("what was written last arrives last, also when it is small and the other is large", async () => {
  const bench = await setUpWithDirectory();
  await writeFile(join(bench.out, "weights"), Buffer.alloc(20 * 1024 * 1024, 7));
  await delay(30);
  await writeFile(join(bench.out, "latest"), "weights");
  const mirror = await mirrorOn(bench);
  await mirror.finish();
  expect(story(bench)).toEqual(["put weights", "put latest"]);
});

test("a burst of files all arrives, the newest last", async () => {
  const bench = await setUpWithDirectory();
  for (let number = 0; number < 100; number += 1) await writeFile(join(bench.out, `${number}`), `${number}`);
  await delay(30);
  await writeFile(join(bench.out, "latest"), "99");
  const mirror = await mirrorOn(bench);
  await mirror.finish();
  expect(new Set(story(bench)).size).toBe(101);
  expect(story(bench).at(-1)).toBe("put latest");
});
function hashOf(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}
