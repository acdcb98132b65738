/** What may lie in a job's directories, and where its rules may lead, for both storages. */
import { randomBytes } from "node:crypto";
import {
  appendFile,
  chmod,
  mkdir,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  unlink,
  writeFile,
} from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, onTestFinished, test } from "vitest";
import { walk } from "../../src/transfer/walk.ts";
import { canMount, mountSmall } from "../small-disk.ts";
import { failureOf, temporaryDirectory } from "./bench.ts";
import { isRead, setUpBoth, storeNames } from "./both-stores.ts";

const forever = new AbortController().signal;

describe.each(storeNames)("%s", (name) => {
  test("unicode and long names go up and come back the same; empty directories are no objects", async () => {
    const { transfers, rules, context, out, farSide, dir } = await setUpBoth(name);
    const names = [
      "ünï/日本語 \u{1F415}",
      "e\u0301 is not é",
      "a b+c%20d#e?f&g=h",
      "quotes '\"<>!*();\\",
      `${"deep/".repeat(60)}file`,
      "x".repeat(255),
      ".hidden",
    ];
    for (const one of names) {
      await mkdir(join(out, one, ".."), { recursive: true });
      await writeFile(join(out, one), one);
    }
    await mkdir(join(out, "empty/inside"), { recursive: true });
    await transfers.upload(rules.upload, out, context);
    for (const one of names) {
      const content = farSide.output(`out/${one}`)?.bytes.toString();
      expect([one, content]).toEqual([one, one]);
      farSide.put(`in/${one}`, one);
    }
    expect(farSide.changes.length).toBe(names.length);
    await transfers.download([rules.download], context);
    for (const one of names) expect(await readFile(join(dir, "data", one), "utf8")).toBe(one);
  });

  test("links go up as what they lead to, out of the directory as well", async () => {
    const { transfers, rules, context, out, farSide, dir } = await setUpBoth(name);
    await mkdir(join(dir, "elsewhere"));
    await writeFile(join(dir, "elsewhere/weights"), "w");
    await symlink("../elsewhere/weights", join(out, "latest"));
    await symlink("../elsewhere", join(out, "all"));
    const mirror = await transfers.mirror(rules.upload, new Map(), context);
    await mirror.finish();
    expect(farSide.changes.map(({ key }) => key).sort()).toEqual(["out/all/weights", "out/latest"]);
  });

  test("a link below local_path leads no download outside, one that is local_path itself does", async () => {
    const { transfers, rules, context, farSide, dir, data } = await setUpBoth(name);
    const outside = await temporaryDirectory();
    await mkdir(data);
    await symlink(outside, join(data, "link"));
    farSide.put("in/link/sub/file", "bad");
    const failure = await failureOf(transfers.download([rules.download], context));
    expect(failure.fault).toBe("config");
    expect(failure.message).toContain("in/link/sub/file");
    expect(await readdir(outside)).toEqual([]);
    await symlink(outside, join(dir, "mount"));
    await transfers.download([{ ...rules.download, local_path: "mount" }], context);
    expect(await readFile(join(outside, "link/sub/file"), "utf8")).toBe("bad");
  });

  test("a file where a key needs a directory, and a directory where it needs a file, fail by name", async () => {
    const { transfers, rules, context, farSide, data } = await setUpBoth(name);
    await mkdir(join(data, "b"), { recursive: true });
    await writeFile(join(data, "a"), "x");
    farSide.put("in/a/b", "x");
    expect((await failureOf(transfers.download([rules.download], context))).message).toContain("in/a/b");
    await rm(join(data, "a"));
    farSide.put("in/b", "x");
    const failure = await failureOf(transfers.download([rules.download], context));
    expect(failure.fault).toBe("config");
    expect((await readdir(join(data, "b"))).length).toBe(0);
  });

  test("local_path relative, absolute, and inside another rule's: each rule finds its own", async () => {
    const { transfers, rules, context, farSide, dir } = await setUpBoth(name);
    const absolute = await temporaryDirectory();
    farSide.put("in/x", "x");
    await transfers.download(
      [
        { ...rules.download, local_path: "./a/../a" },
        { ...rules.download, local_path: "a/inner" },
        { ...rules.download, local_path: absolute },
      ],
      context,
    );
    for (const path of [join(dir, "a/x"), join(dir, "a/inner/x"), join(absolute, "x")])
      expect(await readFile(path, "utf8")).toBe("x");
    const outer = await transfers.mirror({ ...rules.upload, local_path: "a" }, new Map(), context);
    const inner = await transfers.mirror(
      { ...rules.upload, prefix: "own/", local_path: "a/inner" },
      new Map(),
      context,
    );
    await writeFile(join(dir, "a/inner/y"), "y");
    await Promise.all([outer.finish(), inner.finish()]);
    const keys = farSide.changes.map(({ key }) => key).sort();
    expect(keys).toEqual(["out/inner/x", "out/inner/y", "out/x", "own/x", "own/y"]);
  });

  test("one huge file that grows all the while goes up whole once it has come to rest", async () => {
    const { transfers, rules, context, out, farSide } = await setUpBoth(name, { maxWaitMs: 50 });
    const mirror = await transfers.mirror(rules.upload, new Map(), context);
    onTestFinished(() => mirror.abandon());
    const chunk = randomBytes(4 * 1024 * 1024);
    for (let chunks = 0; chunks < 10; chunks += 1) {
      await appendFile(join(out, "trajectory"), chunk);
      await delay(30);
    }
    await mirror.finish();
    const { size } = await stat(join(out, "trajectory"));
    expect(farSide.changes.map(({ sizeBytes }) => sizeBytes)).toEqual([size]);
  });

  test("hundreds of small files go up, each once", async () => {
    const { transfers, rules, context, out, farSide } = await setUpBoth(name);
    const count = 600;
    for (let directory = 0; directory < 20; directory += 1) {
      await mkdir(join(out, `${directory}`));
      for (let file = 0; file < count / 20; file += 1)
        await writeFile(join(out, `${directory}/${file}`), `${file}`);
    }
    const mirror = await transfers.mirror(rules.upload, new Map(), context);
    await mirror.finish();
    expect(farSide.changes.length).toBe(count);
    expect(new Set(farSide.changes.map(({ key }) => key)).size).toBe(count);
  });

  test.skipIf(!canMount())(
    "a disk that is full gives the job back, saying so, and leaves no torn file",
    async () => {
      const { transfers, rules, context, farSide, data } = await setUpBoth(name);
      await mountSmall(data);
      farSide.put("in/small", "fits");
      farSide.put("in/large", randomBytes(6 * 1024 * 1024));
      farSide.put("in/huge", randomBytes(20 * 1024 * 1024));
      const failure = await failureOf(transfers.download([rules.download], context));
      expect(failure.fault).toBe("node");
      expect(failure.message).toContain("ENOSPC");
      for (const left of await readdir(data)) expect(left).toBe("small");
    },
  );

  test("a download never overwrites in place: the file that is there stays whole until the new one is", async () => {
    const { transfers, rules, context, farSide, data, proxy } = await setUpBoth(name);
    await mkdir(data);
    await writeFile(join(data, "model"), "older");
    farSide.put("in/model", randomBytes(mebibyte));
    proxy.strike(1000, { kind: "breaksDown", afterBytes: 100_000 }, isRead);
    await failureOf(transfers.download([rules.download], context));
    expect(await readFile(join(data, "model"), "utf8")).toBe("older");
    expect(await readdir(data)).toEqual(["model"]);
  });
});

const mebibyte = 1024 * 1024;

test.skipIf(process.getuid?.() === 0)("a file that cannot be read is said so", async () => {
  const dir = await temporaryDirectory();
  await writeFile(join(dir, "secret"), "x");
  await chmod(join(dir, "secret"), 0);
  const { transfers, rules, context } = await setUpBoth("managed");
  const failure = await failureOf(transfers.upload(rules.upload, dir, context));
  expect([failure.fault, failure.message.includes("EACCES")]).toEqual(["config", true]);
});

test("files and directories that vanish while they are walked were never there", async () => {
  const dir = await temporaryDirectory();
  for (let directory = 0; directory < 30; directory += 1) {
    await mkdir(join(dir, `${directory}`));
    for (let file = 0; file < 30; file += 1) await writeFile(join(dir, `${directory}/${file}`), "x");
  }
  const vanishing = (async () => {
    for (let directory = 0; directory < 30; directory += 1) {
      if (directory % 2 === 0) await rm(join(dir, `${directory}`), { recursive: true });
      else for (let file = 0; file < 30; file += 2) await unlink(join(dir, `${directory}/${file}`));
    }
  })();
  const [first] = await Promise.all([walk(dir, forever), vanishing]);
  expect(first?.unreadable).toEqual([]);
  expect(first?.passedOver).toEqual([]);
  const after = await walk(dir, forever);
  expect([after?.files.size, after?.unreadable]).toEqual([15 * 15, []]);
});
