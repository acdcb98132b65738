import { once } from "node:events";
import { mkdir, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import { ownName } from "../../src/transfer/object-key.ts";
import { bucket, failureOf, mirrorOn, rule, setUp, setUpWithDirectory, story } from "./bench.ts";

test("a checkpoint written in the command's first 10 ms arrives", async () => {
  const bench = await setUp();
  const mirror = await mirrorOn(bench);
  await mkdir(join(bench.dir, "out"));
  await writeFile(join(bench.dir, "out/a"), "early");
  await bench.storage.until(() => bench.storage.text(bucket, "ckpt/a") === "early");
  await mirror.finish();
});

test("a checkpoint written in the command's last 10 ms arrives", async () => {
  const bench = await setUpWithDirectory();
  const mirror = await mirrorOn(bench);
  await writeFile(join(bench.out, "a"), "1");
  await bench.storage.until(() => bench.storage.text(bucket, "ckpt/a") === "1");
  await writeFile(join(bench.out, "a"), "2");
  await mkdir(join(bench.out, "sub"));
  await writeFile(join(bench.out, "sub/b"), "last");
  await mirror.finish();
  expect(bench.storage.text(bucket, "ckpt/a")).toBe("2");
  expect(bench.storage.text(bucket, "ckpt/sub/b")).toBe("last");
});

test("a file rewritten during its own upload ends with its newest content", async () => {
  const bench = await setUpWithDirectory();
  const arrived = Promise.withResolvers<void>();
  let puts = 0;
  bench.storage.faults.push(({ method }) =>
    method === "PUT" && puts++ === 0 ? { kind: "hold", until: arrived.promise } : undefined,
  );
  await writeFile(join(bench.out, "a"), "older");
  const mirror = await mirrorOn(bench);
  await bench.storage.until(() => puts === 1);
  await writeFile(join(bench.out, "a"), "newer content");
  arrived.resolve();
  await bench.storage.until(() => bench.storage.text(bucket, "ckpt/a") === "newer content");
  await mirror.finish();
  expect(bench.storage.text(bucket, "ckpt/a")).toBe("newer content");
});

test("checkpoint 1 is deleted only after checkpoint 2 is up", async () => {
  const bench = await setUpWithDirectory();
  const mirror = await mirrorOn(bench);
  await writeFile(join(bench.out, "1"), "one");
  await bench.storage.until(() => bench.storage.get(bucket, "ckpt/1") !== undefined);
  let failing = true;
  bench.storage.faults.push(({ key }) =>
    failing && key === "ckpt/2" ? { kind: "answer", status: 500 } : undefined,
  );
  await writeFile(join(bench.out, "2"), "two");
  await rm(join(bench.out, "1"));
  // The upload of 2 fails with all its tries, and so does a second round of them: time enough for scans between.
  await bench.storage.until(() => bench.storage.requests.filter(({ key }) => key === "ckpt/2").length === 8);
  failing = false;
  await bench.storage.until(() => bench.storage.changes.length === 3);
  await mirror.finish();
  expect(story(bench)).toEqual(["put 1", "put 2", "delete 1"]);
});

test("the same at the very end: finish uploads before it deletes", async () => {
  const bench = await setUpWithDirectory();
  const mirror = await mirrorOn(bench);
  await writeFile(join(bench.out, "1"), "one");
  await bench.storage.until(() => bench.storage.get(bucket, "ckpt/1") !== undefined);
  await writeFile(join(bench.out, "2"), "two");
  await rm(join(bench.out, "1"));
  await mirror.finish();
  expect(story(bench)).toEqual(["put 1", "put 2", "delete 1"]);
});

test("objects that were never seen locally stay, files that vanished from here go", async () => {
  const bench = await setUpWithDirectory();
  bench.storage.put(bucket, "ckpt/foreign", "x");
  await writeFile(join(bench.out, "own"), "x");
  const mirror = await mirrorOn(bench);
  await bench.storage.until(() => bench.storage.get(bucket, "ckpt/own") !== undefined);
  await rm(join(bench.out, "own"));
  await mirror.finish();
  expect(bench.storage.keys(bucket)).toEqual(["ckpt/foreign"]);
});

test("a directory that vanishes whole deletes nothing", async () => {
  const bench = await setUpWithDirectory();
  await writeFile(join(bench.out, "1"), "one");
  const mirror = await mirrorOn(bench);
  await bench.storage.until(() => bench.storage.get(bucket, "ckpt/1") !== undefined);
  await rm(bench.out, { recursive: true });
  await mirror.finish();
  expect(bench.storage.keys(bucket)).toEqual(["ckpt/1"]);
});

test("a directory replaced by another deletes nothing that was in the first", async () => {
  const bench = await setUpWithDirectory();
  await writeFile(join(bench.out, "1"), "one");
  const mirror = await mirrorOn(bench);
  await bench.storage.until(() => bench.storage.get(bucket, "ckpt/1") !== undefined);
  await rm(bench.out, { recursive: true });
  await mkdir(bench.out);
  await writeFile(join(bench.out, "2"), "two");
  await bench.storage.until(() => bench.storage.get(bucket, "ckpt/2") !== undefined);
  await rm(join(bench.out, "2"));
  await mirror.finish();
  expect(bench.storage.keys(bucket)).toEqual(["ckpt/1"]);
});

test("downloaded files are not uploaded again; changed they are, removed they are deleted", async () => {
  const bench = await setUp();
  for (const name of ["same", "changed", "removed"]) bench.storage.put(bucket, `ckpt/${name}`, name);
  bench.storage.put(bucket, "other/input", "input");
  const known = await bench.transfers.download(
    [
      { ...rule, direction: "download" },
      { ...rule, prefix: "other/", direction: "download" },
    ],
    bench.context,
  );
  // The same name under the mirror's own prefix is somebody else's object.
  bench.storage.put(bucket, "ckpt/input", "not ours");
  const mirror = await mirrorOn(bench, known);
  await writeFile(join(bench.dir, "out/changed"), "new");
  await rm(join(bench.dir, "out/removed"));
  await rm(join(bench.dir, "out/input"));
  await mirror.finish();
  expect(story(bench)).toEqual(["put changed", "delete removed"]);
});

test("only what the pattern finds is mirrored; links count as what they lead to, our own files do not", async () => {
  const bench = await setUpWithDirectory();
  await mkdir(join(bench.out, "deep"));
  await writeFile(join(bench.out, "deep/a.bin"), "a");
  await writeFile(join(bench.out, "a.txt"), "a");
  await writeFile(join(bench.out, `${ownName("download")}`), "ours");
  await symlink("deep/a.bin", join(bench.out, "link.bin"));
  await symlink(bench.out, join(bench.out, "loop.bin"));
  await symlink("nowhere", join(bench.out, "dangling.bin"));
  const mirror = await mirrorOn(bench, new Map(), { ...rule, pattern: "(^|/)[^/]+\\.(bin|tmp)$" });
  await mirror.finish();
  expect(bench.storage.keys(bucket)).toEqual(["ckpt/deep/a.bin", "ckpt/link.bin"]);
});

test("a file that cannot be brought up fails finish, by name; the others arrive", async () => {
  const bench = await setUpWithDirectory();
  bench.storage.faults.push(({ key }) =>
    key === "ckpt/bad" ? { kind: "answer", status: 403, code: "AccessDenied" } : undefined,
  );
  await writeFile(join(bench.out, "bad"), "x");
  await writeFile(join(bench.out, "good"), "y");
  const mirror = await mirrorOn(bench);
  const failure = await failureOf(mirror.finish());
  expect(failure.fault).toBe("config");
  expect(failure.message).toContain(join(bench.out, "bad"));
  expect(failure.message).toContain("work/ckpt/bad");
  expect(bench.storage.keys(bucket)).toEqual(["ckpt/good"]);
  expect(bench.problems.join()).toContain("work/ckpt/bad");
});

test("an upload that failed is tried again at later scans, without anything changing", async () => {
  const bench = await setUpWithDirectory();
  let puts = 0;
  bench.storage.faults.push(({ method }) =>
    method === "PUT" && puts++ < 4 ? { kind: "answer", status: 503, code: "SlowDown" } : undefined,
  );
  await writeFile(join(bench.out, "a"), "x");
  const mirror = await mirrorOn(bench);
  await bench.storage.until(() => bench.storage.get(bucket, "ckpt/a") !== undefined);
  await mirror.finish();
  expect(bench.problems.length).toBe(1);
});

test("compressed: key and headers say so, the type is that of the content", async () => {
  const bench = await setUpWithDirectory();
  await writeFile(join(bench.out, "notes.txt"), "hello");
  const mirror = await bench.transfers.mirror(rule, new Map(), { ...bench.context, compression: true });
  await mirror.finish();
  const object = bench.storage.get(bucket, "ckpt/notes.txt.gz");
  expect([object?.contentType, object?.contentEncoding]).toEqual(["text/plain", "gzip"]);
  const back = await setUp({ endpointUrl: bench.storage.url });
  const download = { ...rule, direction: "download" } as const;
  const known = await back.transfers.download([download], { ...back.context, compression: true });
  expect([...known.keys()]).toEqual([join(back.dir, "out/notes.txt")]);
});

test("the observer hears of each upload's begin and end once", async () => {
  const bench = await setUpWithDirectory();
  for (const name of ["a", "b", "c"]) await writeFile(join(bench.out, name), name);
  await (await mirrorOn(bench)).finish();
  const began = bench.observed.filter((line) => line.startsWith("began"));
  const ended = bench.observed.filter((line) => line.startsWith("ended"));
  expect(began.length).toBe(3);
  expect(ended.sort()).toEqual(["a", "b", "c"].map((name) => `ended upload ${join(bench.out, name)} 1`));
});

test("abandoned: nothing becomes visible any more, and it ends although the storage hangs", async () => {
  const bench = await setUpWithDirectory();
  const never = Promise.withResolvers<void>();
  bench.storage.faults.push(({ method }) =>
    method === "PUT" ? { kind: "hold", until: never.promise } : undefined,
  );
  await writeFile(join(bench.out, "a"), "x");
  const mirror = await bench.transfers.mirror(rule, new Map(), bench.context);
  await bench.storage.until(() => bench.storage.requests.length > 0);
  await mirror.abandon();
  await writeFile(join(bench.out, "b"), "x");
  await bench.storage.until(() => bench.storage.hangups === 1);
  never.resolve();
  expect(bench.storage.changes).toEqual([]);
  expect(bench.observed.length).toBe(2);
});

test("a file that is gone before its upload begins is no error", async () => {
  const bench = await setUpWithDirectory();
  const release = Promise.withResolvers<void>();
  bench.storage.faults.push(({ key }) =>
    key === "ckpt/first" ? { kind: "hold", until: release.promise } : undefined,
  );
  await writeFile(join(bench.out, "first"), "x");
  await delay(30);
  await writeFile(join(bench.out, "second"), "x");
  const mirror = await mirrorOn(bench);
  await bench.storage.until(() => bench.storage.requests.length > 0);
  await rm(join(bench.out, "second"));
  release.resolve();
  await mirror.finish();
  expect(story(bench)).toEqual(["put first"]);
});

test("the attempt's end ends a finish that waits for the storage", async () => {
  const bench = await setUpWithDirectory();
  const never = Promise.withResolvers<void>();
  bench.storage.faults.push(({ method }) =>
    method === "PUT" ? { kind: "hold", until: never.promise } : undefined,
  );
  await writeFile(join(bench.out, "a"), "x");
  const mirror = await mirrorOn(bench);
  const reason = new Error("over");
  const asked = bench.storage.until(() => bench.storage.requests.length > 0);
  await Promise.all([
    expect(mirror.finish()).rejects.toBe(reason),
    asked.then(() => bench.attempt.abort(reason)),
    once(bench.attempt.signal, "abort"),
  ]);
  never.resolve();
});
