import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { PatternThread } from "../../src/transfer/patterns/pattern-thread.ts";
import { RulePattern } from "../../src/transfer/patterns/rule-pattern.ts";
import { failureOf } from "./bench.ts";
import { setUpBoth, storeNames } from "./both-stores.ts";

/** Backtracks for longer than anybody lives. */
const endless = "^(a+)+$";
const bait = `${"a".repeat(40)}!`;
const itself = (text: string) => text;

test("a pattern finds what it means, searched and not anchored, and an empty list asks nobody", async () => {
  const pattern = new RulePattern("\\.(bin|txt)$", "a rule");
  expect(await pattern.filter(["a.bin", "b", "c/d.txt", "bin.x"], itself)).toEqual(["a.bin", "c/d.txt"]);
  expect(await pattern.filter([], itself)).toEqual([]);
  expect(await new RulePattern(undefined, "a rule").filter(["all"], itself)).toEqual(["all"]);
});

test("a pattern that backtracks without end is given up, naming the rule, and the process goes on meanwhile", async () => {
  const pattern = new RulePattern(endless, "the upload rule for out/", new PatternThread({ budgetMs: 300 }));
  let longestMs = 0;
  let lastMs = performance.now();
  const ticking = setInterval(() => {
    longestMs = Math.max(longestMs, performance.now() - lastMs);
    lastMs = performance.now();
  }, 5);
  const failure = await failureOf(pattern.filter(["fine", bait], itself));
  clearInterval(ticking);
  expect(failure.fault).toBe("config");
  expect(failure.message).toContain("the upload rule for out/");
  expect(failure.message).toContain(endless);
  // Half of the budget would already be a renewal late; a busy machine takes a part of it.
  expect(longestMs).toBeLessThan(250);
});

test("after one was given up, others work, those that waited for the same thread too", async () => {
  const thread = new PatternThread({ budgetMs: 300 });
  const bad = new RulePattern(endless, "bad", thread).filter([bait], itself);
  const good = new RulePattern("a", "good", thread).filter(["a", "b"], itself);
  await failureOf(bad);
  expect(await good).toEqual(["a"]);
});

test("a thread that was idle is ended, and comes back", async () => {
  const thread = new PatternThread({ idleMs: 1 });
  expect(await thread.test("a", ["a"])).toEqual([true]);
  await new Promise((resolve) => setTimeout(resolve, 30));
  expect(await thread.test("a", ["b"])).toEqual([false]);
});

test("what cannot be compiled is told and not thrown at the process", async () => {
  expect(await new PatternThread().test("(", ["a"])).toContain("cannot be tested");
});

test("many paths, each once: verdicts are kept, also when there are more than can be", async () => {
  const pattern = new RulePattern("7$", "a rule");
  const paths = Array.from({ length: 250_000 }, (_, number) => `dir/${number}`);
  for (let round = 0; round < 2; round += 1)
    expect((await pattern.filter(paths, itself)).length).toBe(25_000);
});

describe.each(storeNames)("%s", (name) => {
  test("an endless pattern of a rule fails the attempt, whatever the rule does", async () => {
    const { farSide, transfers, rules, context, out } = await setUpBoth(name);
    farSide.put(`in/${bait}`, "x");
    const download = { ...rules.download, pattern: "(a+)+$" };
    await mkdir(join(out, "sub"));
    await writeFile(join(out, "sub", bait), "x");
    const upload = { ...rules.upload, pattern: "(a+)+$" };
    const work = [
      transfers.download([download], context),
      transfers.upload(upload, out, context),
      transfers.mirror(upload, new Map(), context).then((mirror) => mirror.finish()),
    ];
    for (const failure of await Promise.all(work.map(failureOf))) {
      expect(failure.fault).toBe("config");
      expect(failure.message).toContain("(a+)+$");
    }
    expect(farSide.changes).toEqual([]);
  });

  test("an endless pattern is told while the mirror runs, not at its end alone", async () => {
    const { transfers, rules, context, out } = await setUpBoth(name);
    const mirror = await transfers.mirror({ ...rules.upload, pattern: "(a+)+$" }, new Map(), context);
    expect(mirror.broken.aborted).toBe(false);
    await writeFile(join(out, bait), "x");
    await new Promise((resolve) => mirror.broken.addEventListener("abort", resolve));
    expect(mirror.broken.reason).toMatchObject({ fault: "config" });
    expect(await failureOf(mirror.finish())).toBe(mirror.broken.reason);
  });
});
