import { expect, test } from "vitest";
import { appendPortion } from "../../src/logs/portions.ts";

const joined = (portions: (Buffer | number)[]) =>
  portions.map((portion) => (typeof portion === "number" ? `<${portion}>` : portion.toString())).join("");

test("what comes byte by byte waits in few pieces", () => {
  const portions: Buffer[] = [];
  let text = "";
  for (let written = 0; written < 100_000; written++) {
    const byte = String(written % 10);
    text += byte;
    appendPortion(portions, Buffer.from(byte));
  }
  expect(joined(portions)).toBe(text);
  expect(portions.length).toBeLessThan(10);
});

test("large portions are not copied, and nothing behind them is written to", () => {
  const large = Buffer.alloc(20_000, "L");
  const portions: (Buffer | number)[] = [];
  for (const portion of [large.subarray(0, 10_000), Buffer.from("small")]) appendPortion(portions, portion);
  expect(portions[0]).toEqual(large.subarray(0, 10_000));
  expect(large.toString()).toBe("L".repeat(20_000));
  expect(joined(portions)).toBe(`${"L".repeat(10_000)}small`);
});

test("what stands between portions stays there, and what was handed on stays as it was", () => {
  const portions: (Buffer | number)[] = [];
  appendPortion(portions, Buffer.from("one"));
  portions.push(7);
  appendPortion(portions, Buffer.from("two"));
  expect(joined(portions)).toBe("one<7>two");
  const handed = portions.pop() as Buffer;
  appendPortion(portions, Buffer.from("three"));
  expect(handed.toString()).toBe("two");
  expect(joined(portions)).toBe("one<7>three");
});
