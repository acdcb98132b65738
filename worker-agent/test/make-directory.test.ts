import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { makeDirectory } from "../src/make-directory.ts";

function root(): string {
  const directory = mkdtempSync(join(tmpdir(), "kelpie-make-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  return directory;
}

test("what is missing is made, outermost first, and told; a second time there is nothing to make", async () => {
  const top = root();
  const made: string[] = [];
  await makeDirectory(join(top, "a/b/c"), made);
  expect(made).toEqual([join(top, "a"), join(top, "a/b"), join(top, "a/b/c")]);
  expect(existsSync(join(top, "a/b/c"))).toBe(true);
  const again: string[] = [];
  await makeDirectory(join(top, "a/b/c"), again);
  expect(again).toEqual([]);
});

test("several at once for the same directory: all of them get it", async () => {
  const path = join(root(), "a/b/c");
  await Promise.all(Array.from({ length: 8 }, () => makeDirectory(path)));
  expect(existsSync(path)).toBe(true);
});

test("a link to a directory is one; a file, and a link that leads nowhere, are in the way", async () => {
  const top = root();
  mkdirSync(join(top, "real"));
  symlinkSync("real", join(top, "link"));
  symlinkSync("gone", join(top, "dangling"));
  writeFileSync(join(top, "file"), "");
  await makeDirectory(join(top, "link/a"));
  expect(existsSync(join(top, "real/a"))).toBe(true);
  await expect(makeDirectory(join(top, "file"))).rejects.toThrow("EEXIST");
  await expect(makeDirectory(join(top, "file/a"))).rejects.toThrow("ENOTDIR");
  await expect(makeDirectory(join(top, "dangling/a"))).rejects.toThrow("EEXIST");
});

test("below /proc, where Node's own recursive mkdir never ends, it fails at once", async () => {
  await expect(makeDirectory("/proc/none/of/these")).rejects.toThrow(/mkdir '\/proc\/none'/);
});
