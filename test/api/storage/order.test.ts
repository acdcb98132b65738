import { expect, test } from "vitest";
import { behindPrefix, compareUtf8 } from "../../../src/storage/utf8-order.ts";

test("texts come in the order of their UTF-8 bytes", () => {
  const texts = [
    "",
    "A",
    "a",
    "a\u0001",
    "aa",
    "\u00e9",
    "\ud7ff",
    "\ue000",
    "\uffff",
    "\u{10000}",
    "\u{10ffff}",
    "\u{10ffff}a",
  ];
  expect(texts.toReversed().sort(compareUtf8)).toEqual(texts);
  expect(compareUtf8("x", "x")).toBe(0);
});

test("the first text behind a prefix comes after all that begin with it, and before all others", () => {
  const cases: [string, string | null][] = [
    ["a", "b"],
    ["a/", "a0"],
    ["\u007f", "\u0080"],
    ["\ud7ff", "\ue000"],
    ["\uffff", "\u{10000}"],
    ["a\u{10ffff}", "b"],
    ["\u{10ffff}", null],
    ["", null],
  ];
  for (const [prefix, behind] of cases) expect([prefix, behindPrefix(prefix)]).toEqual([prefix, behind]);
});
