import { expect, test } from "vitest";
import { readProgress } from "../../src/progress/read-progress.ts";

test("a line that tells progress", () => {
  const line = '{"step": 3, "total": null, "message": "half way", "loss": 0.2}';
  expect(readProgress(line)).toEqual({ ok: true, progress: { step: 3, total: null, message: "half way" } });
});

test.each([
  ["step 3 of 9", "not JSON"],
  ['{"step": NaN}', "not JSON"],
  ["3", 'not an object such as {"step": 3}'],
  ["null", 'not an object such as {"step": 3}'],
  ['[{"step": 3}]', 'not an object such as {"step": 3}'],
  ['{"epoch": 3}', 'without "step"'],
  ['{"step": "3"}', '"step" must be a number from 0'],
  ['{"step": -1}', '"step" must be a number from 0'],
  ['{"step": 3, "total": "many"}', '"total" must be a number from 0, or null'],
  ['{"step": 3, "message": {}}', '"message" must be text, or null'],
])("%s: %s", (line, reason) => {
  expect(readProgress(line)).toEqual({ ok: false, reason });
});
