import { describe, expect, it } from "vitest";
import { compareNames, judgePromise, type Outcome, table } from "../../tools/conformance/promise-table.ts";

const passed: Outcome = { name: "a", state: "passed", why: "" };
const failed: Outcome = { name: "b", state: "failed", why: "409, not 200" };
const skipped: Outcome = { name: "c", state: "skipped", why: "no SaladCloud" };

describe("a promise", () => {
  it.each<[string, Outcome[], string[], string, string[]]>([
    ["all checks passed", [passed, passed], [], "kept", []],
    ["one of them failed", [passed, failed, skipped], [], "broken", ["b: 409, not 200"]],
    ["a hook failed", [passed], ["afterAll"], "broken", ["afterAll"]],
    ["some were not run", [passed, skipped], [], "kept", ["not run: c: no SaladCloud"]],
    ["none was run", [skipped, skipped], [], "not run", ["no SaladCloud"]],
    ["it has no check", [], [], "not run", []],
  ])("%s", (_case, outcomes, errors, verdict, details) => {
    expect(judgePromise("p", outcomes, errors)).toEqual({ name: "p", verdict, details });
  });
});

it("sections are in the order of their numbers", () => {
  const names = ["7.10 · x", "8 · x", "7.2 · x", "1 · x"];
  expect(names.toSorted(compareNames)).toEqual(["1 · x", "7.2 · x", "7.10 · x", "8 · x"]);
});

it("the table counts each verdict", () => {
  const results = [[passed], [failed], [skipped]].map((outcomes, n) => judgePromise(`p${n}`, outcomes, []));
  expect(table(results)).toContain("3 promises: 1 kept, 1 broken, 1 not run");
  expect(table(results)).toMatch(/✗ broken {3}p1\n +b: 409, not 200/);
});
