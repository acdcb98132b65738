import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { AppendedLines } from "../../src/progress/appended-lines.ts";

function file() {
  const directory = mkdtempSync(join(tmpdir(), "kelpie-lines-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const path = join(directory, "file");
  const lines = new AppendedLines(path);
  let seconds = 1;
  /** A later time, as it were: two writes within a tick of the file system's clock look alike. */
  const later = () => utimesSync(path, 0, ++seconds);
  return { directory, path, lines, later };
}

test("lines come once, in order; one without its end waits for it", async () => {
  const { path, lines } = file();
  expect(await lines.read()).toEqual({ lines: [], rest: "" });
  appendFileSync(path, "a\nb\nc");
  expect(await lines.read()).toEqual({ lines: ["a", "b"], rest: "c" });
  appendFileSync(path, "d\n");
  expect(await lines.read()).toEqual({ lines: ["cd"], rest: "" });
  expect(await lines.read()).toEqual({ lines: [], rest: "" });
});

test("replaced, cut, or written anew, even in the same length: it is read from its beginning", async () => {
  const { directory, path, lines, later } = file();
  writeFileSync(path, "1\n2\n");
  await lines.read();
  writeFileSync(join(directory, "other"), "3\n4\n5\n");
  renameSync(join(directory, "other"), path);
  expect((await lines.read()).lines).toEqual(["3", "4", "5"]);
  truncateSync(path, 0);
  appendFileSync(path, "6\n");
  expect((await lines.read()).lines).toEqual(["6"]);
  writeFileSync(path, "7\n");
  later();
  expect((await lines.read()).lines).toEqual(["7"]);
  writeFileSync(path, "10\n11\n");
  later();
  expect((await lines.read()).lines).toEqual(["10", "11"]);
});

test("of a huge file the end is read, and no half line", async () => {
  const { path, lines } = file();
  writeFileSync(path, "");
  truncateSync(path, 5 * 1024 ** 3); // sparse
  appendFileSync(path, `\n${"old\n".repeat(100_000)}new\n`);
  const read = await lines.read();
  expect(read.lines.at(-1)).toBe("new");
  expect(read.lines.length).toBeLessThan(66_000);
  expect(new Set(read.lines)).toEqual(new Set(["old", "new"]));
});

test("a line of more than 8 KiB is passed over, what follows is not", async () => {
  const { path, lines } = file();
  appendFileSync(path, "x".repeat(9_000));
  expect(await lines.read()).toEqual({ lines: [], rest: "" });
  appendFileSync(path, "x".repeat(9_000));
  expect(await lines.read()).toEqual({ lines: [], rest: "" });
  appendFileSync(path, "y\nz\n");
  expect((await lines.read()).lines).toEqual(["z"]);
});

test("a directory or a pipe in its place has no lines, and holds nobody up", async () => {
  const { path, lines } = file();
  mkdirSync(path);
  expect(await lines.read()).toEqual({ lines: [], rest: "" });
  rmSync(path, { recursive: true });
  execFileSync("mkfifo", [path]);
  expect(await lines.read()).toEqual({ lines: [], rest: "" });
});
