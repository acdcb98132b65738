import { appendFile, open, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { FileDisturbed } from "../../src/transfer/failures.ts";
import { mtimeMs, settledState } from "../../src/transfer/file-state.ts";
import { copyWhole } from "../../src/transfer/staged-copy.ts";
import { temporaryDirectory } from "./bench.ts";

const never = new AbortController().signal;

async function largeFile() {
  const dir = await temporaryDirectory();
  const [path, copyPath] = [join(dir, "file"), join(dir, "copy")];
  await writeFile(path, Buffer.alloc(48 * 1024 * 1024, 1));
  const copyBegun = async () => {
    for (let bytes = 0; bytes === 0; await turn()) {
      bytes = await stat(copyPath).then(
        ({ size }) => size,
        () => 0,
      );
    }
  };
  const overwriteFirstByte = async () => {
    const file = await open(path, "r+");
    await file.write("x", 0);
    await file.close();
  };
  return { path, copyPath, copyBegun, overwriteFirstByte };
}

test("a file changed while it is copied is no copy", async () => {
  const { path, copyPath, copyBegun, overwriteFirstByte } = await largeFile();
  const copy = expect(copyWhole(path, copyPath, never)).rejects.toBeInstanceOf(FileDisturbed);
  await copyBegun();
  await overwriteFirstByte();
  await copy;
});

test("a file that grew while it was copied, but not only grew, is no log", async () => {
  const { path, copyPath, copyBegun, overwriteFirstByte } = await largeFile();
  const copy = expect(copyWhole(path, copyPath, never)).rejects.toBeInstanceOf(FileDisturbed);
  await copyBegun();
  await appendFile(path, "one more line");
  await overwriteFirstByte();
  await copy;
});

test("a file that only grew while it was copied is copied up to where it was", async () => {
  const { path, copyPath, copyBegun } = await largeFile();
  const { size } = await stat(path);
  const copy = copyWhole(path, copyPath, never);
  await copyBegun();
  await appendFile(path, "one more line");
  expect((await copy).sizeBytes).toBe(size);
  expect((await readFile(copyPath)).subarray(0, size).every((byte) => byte === 1)).toBe(true);
});

test("the state of a file just written is taken only when a further write would show", async () => {
  const dir = await temporaryDirectory();
  const path = join(dir, "file");
  await writeFile(path, "1");
  const handle = await open(path, "r");
  onTestFinished(() => handle.close());
  const state = await settledState(handle, path, never);
  expect(Date.now() - mtimeMs(state)).toBeGreaterThan(20);
});
