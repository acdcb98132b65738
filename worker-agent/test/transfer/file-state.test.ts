import { open, rename, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { isUnchanged, stateOfOpen } from "../../src/transfer/file-state.ts";
import { temporaryDirectory } from "./bench.ts";

async function openFile() {
  const directory = await temporaryDirectory();
  const path = join(directory, "checkpoint");
  const then = new Date(1_700_000_000_000);
  await writeFile(path, "older");
  await utimes(path, then, then);
  const handle = await open(path, "r");
  onTestFinished(() => handle.close());
  const state = await stateOfOpen(handle, path);
  return { directory, path, then, isStill: () => isUnchanged(state, handle, path) };
}

test("a checkpoint replaced by rename during its upload keeps what is open, so that the upload goes on", async () => {
  const { directory, path, isStill } = await openFile();
  await writeFile(join(directory, "next"), "newer");
  await rename(join(directory, "next"), path);
  expect(await isStill()).toBe(true);
});

test("a checkpoint overwritten in place with its mtime restored has changed", async () => {
  const { path, then, isStill } = await openFile();
  expect(await isStill()).toBe(true);
  await writeFile(path, "newer");
  await utimes(path, then, then);
  expect(await isStill()).toBe(false);
});
