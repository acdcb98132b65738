/** Links, special files and odd names below a directory: all of it goes up, or somebody is told. */
import { execFileSync } from "node:child_process";
import { utimesSync, writeFileSync } from "node:fs";
import { mkdir, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { bucket, failureOf, mirrorOn, rule, setUpWithDirectory, story } from "./bench.ts";

const badName = (directory: string) => Buffer.concat([Buffer.from(`${directory}/bad`), Buffer.from([0xff])]);

test("a mirror follows links to directories, in and out, and never in a circle", async () => {
  const bench = await setUpWithDirectory();
  await mkdir(join(bench.dir, "elsewhere/deep"), { recursive: true });
  await writeFile(join(bench.dir, "elsewhere/deep/a"), "a");
  await symlink(join(bench.dir, "elsewhere"), join(bench.out, "in"));
  await symlink(bench.out, join(bench.dir, "elsewhere/back"));
  await symlink("..", join(bench.out, "up"));
  await (await mirrorOn(bench)).finish();
  expect(bench.storage.keys(bucket)).toEqual(["ckpt/in/deep/a"]);
  expect(bench.problems.filter((line) => line.includes("in a circle")).length).toBe(2);
});

test("a link to nothing and a pipe in a mirror are told of, once each", async () => {
  const bench = await setUpWithDirectory();
  await symlink("nowhere", join(bench.out, "dangling"));
  execFileSync("mkfifo", [join(bench.out, "pipe")]);
  const mirror = await mirrorOn(bench);
  for (const name of ["a", "b", "c"]) {
    await writeFile(join(bench.out, name), name);
    await bench.storage.until(() => bench.storage.get(bucket, `ckpt/${name}`) !== undefined);
  }
  await mirror.finish();
  expect(bench.problems.filter((line) => line.includes(join(bench.out, "dangling"))).length).toBe(1);
  expect(bench.problems.filter((line) => line.includes(join(bench.out, "pipe"))).length).toBe(1);
  expect(bench.problems.length).toBe(2);
});

test("outputs: a link to nothing fails the upload by name, a pipe is told of, the rest goes up", async () => {
  const bench = await setUpWithDirectory();
  await symlink("nowhere", join(bench.out, "latest.json"));
  execFileSync("mkfifo", [join(bench.out, "pipe")]);
  await writeFile(join(bench.out, "a"), "a");
  const failure = await failureOf(bench.transfers.upload(rule, bench.out, bench.context));
  expect(failure.fault).toBe("config");
  expect(failure.message).toContain(join(bench.out, "latest.json"));
  expect(bench.problems.join()).toContain(join(bench.out, "pipe"));
  expect(story(bench)).toEqual(["put a"]);
  await bench.transfers.upload({ ...rule, pattern: "^a$" }, bench.out, bench.context);
});

test("the user's own files named .kelpie-… are his, and go up", async () => {
  const bench = await setUpWithDirectory();
  await mkdir(join(bench.out, ".kelpie-dir"));
  for (const name of [".kelpie-mine", ".kelpie-dir/x"]) await writeFile(join(bench.out, name), name);
  await bench.transfers.upload(rule, bench.out, bench.context);
  expect(bench.storage.keys(bucket)).toEqual(["ckpt/.kelpie-dir/x", "ckpt/.kelpie-mine"]);
});

test("a checkpoint whose name is not UTF-8 fails the job, so that it ends", async () => {
  const bench = await setUpWithDirectory();
  await writeFile(badName(bench.out), "x");
  await writeFile(join(bench.out, "good"), "x");
  const failure = await failureOf((await mirrorOn(bench)).finish());
  expect(failure.fault).toBe("config");
  expect(failure.message).toContain("not valid UTF-8");
  expect(story(bench)).toEqual(["put good"]);
  await rm(badName(bench.out));
});

test("a checkpoint of equal size with its mtime restored, as cp -p does, is uploaded", async () => {
  const bench = await setUpWithDirectory();
  const path = join(bench.out, "step");
  const [atime, mtime] = [new Date(1_700_000_000_000), new Date(1_700_000_000_000)];
  await writeFile(path, "step 1");
  await utimes(path, atime, mtime);
  const mirror = await mirrorOn(bench);
  await bench.storage.until(() => bench.storage.text(bucket, "ckpt/step") === "step 1");
  // At once, or a scan could see the time between.
  writeFileSync(path, "step 2");
  utimesSync(path, atime, mtime);
  await mirror.finish();
  expect(bench.storage.text(bucket, "ckpt/step")).toBe("step 2");
});
