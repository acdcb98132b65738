import { expect, test } from "vitest";
import { AttemptProgress } from "../../src/progress/attempt-progress.ts";

test("each new, higher step counts, and is a sign of life", () => {
  const progress = new AttemptProgress();
  let signs = 0;
  progress.onSign(() => signs++);
  for (const step of [0, 1, 1, 5, 3, 5, 6]) progress.told({ step });
  // 0 is where it begins.
  expect([progress.count, signs, progress.newest]).toEqual([3, 4, { step: 6 }]);
});

test("an attempt that tells where it resumes has not come further by that; one that goes on has", () => {
  const progress = new AttemptProgress(100);
  progress.told({ step: 80 });
  expect(progress.count).toBe(0);
  progress.told({ step: 81 });
  expect(progress.count).toBe(1);
  expect(new AttemptProgress(100).count).toBe(0);
});

test("checkpoints count beside steps, but none before the command has started", () => {
  const progress = new AttemptProgress();
  progress.checkpoint();
  progress.commandStarted = true;
  progress.checkpoint();
  progress.told({ step: 1 });
  expect(progress.count).toBe(2);
});
