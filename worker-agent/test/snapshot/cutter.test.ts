import { writeFileSync } from "node:fs";
import { mkdir, realpath, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Cutter } from "../../src/snapshot/cutter.ts";
import { Knowledge } from "../../src/snapshot/knowledge.ts";
import { readSegments } from "../../src/snapshot/sources.ts";
import { survey } from "../../src/snapshot/survey.ts";
import { FileDisturbed } from "../../src/transfer/failures.ts";
import { RulePattern } from "../../src/transfer/patterns/rule-pattern.ts";
import { temporaryDirectory } from "../transfer/bench.ts";
import { tinySizes } from "./bench.ts";

/** A directory with two small files and a large one; `meanwhile` happens once the small ones have been read. */
async function setUp(meanwhile: (root: string) => void) {
  const root = join(await realpath(await temporaryDirectory()), "out");
  await mkdir(root);
  for (const name of ["a", "b"]) await writeFile(join(root, name), name);
  await writeFile(join(root, "large"), Buffer.alloc(10_000, "l"));
  const pattern = new RulePattern(undefined, "the test's rule");
  const signal = new AbortController().signal;
  let asked = false;
  const cutter = new Cutter({
    root,
    realRoot: root,
    pattern,
    sizes: tinySizes,
    signal,
    knowledge: new Knowledge(),
    onProblem: () => undefined,
    isStored() {
      if (!asked) meanwhile(root);
      asked = true;
      return false;
    },
  });
  const first = await survey(root, signal, pattern);
  if (!first) throw new Error("no directory");
  return { root, take: (quiet: boolean) => cutter.take(first, quiet) };
}

const changes: [string, (root: string) => void][] = [
  ["a file that was read already is rewritten", (root) => writeFileSync(join(root, "a"), "A")],
  ["a large file is rewritten", (root) => writeFileSync(join(root, "large"), Buffer.alloc(10_000, "L"))],
  ["a file comes", (root) => writeFileSync(join(root, "c"), "c")],
];

test.each(changes)("a cut at rest is none if %s while it is taken", async (_what, change) => {
  const { take } = await setUp(change);
  await expect(take(true)).rejects.toThrow(FileDisturbed);
});

test.each(changes)("a cut in motion goes on if %s", async (_what, change) => {
  const { take } = await setUp(change);
  const cut = await take(false);
  expect([...cut.contents.keys()].sort()).toEqual(["a", "b", "large"]);
  await cut.remove();
});

test("in motion a file that is gone is no part of the cut; at rest there is no cut", async () => {
  for (const quiet of [true, false]) {
    const { root, take } = await setUp(() => undefined);
    await rm(join(root, "b"));
    await rm(join(root, "large"));
    if (quiet) await expect(take(true)).rejects.toThrow(FileDisturbed);
    else {
      const cut = await take(false);
      expect([...cut.entries.keys()]).toEqual(["a"]);
      await cut.remove();
    }
  }
});

test("what was cut is read from the cut, whatever becomes of the files", async () => {
  const { root, take } = await setUp(() => undefined);
  const cut = await take(true);
  await writeFile(join(root, "a"), "other");
  await rm(join(root, "large"));
  const parts = await Promise.all([...cut.sources.values()].map(readSegments));
  expect(parts.map(String).sort()).toEqual(["ab", "l".repeat(10_000 - 8192), "l".repeat(4096)].sort());
  await cut.remove();
});
