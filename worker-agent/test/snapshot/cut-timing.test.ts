import { expect, test } from "vitest";
import { CutTiming } from "../../src/snapshot/cut-timing.ts";

const times = { quietMs: 2000, minIntervalMs: 60_000, patienceMs: 30_000 };

test("nothing new: nothing is cut, however quiet", () => {
  const timing = new CutTiming(times);
  timing.looked(false, undefined, 1000);
  expect(timing.decide(100_000)).toEqual({ lookAgainMs: Number.POSITIVE_INFINITY });
});

test("what is new is cut once nothing has changed for the quiet time", () => {
  const timing = new CutTiming(times);
  timing.looked(true, 1000, 1500);
  expect(timing.decide(1500)).toEqual({ lookAgainMs: 3000 });
  timing.looked(true, undefined, 3000);
  expect(timing.decide(3000)).toEqual({ cut: "quiet" });
});

test("the next cut is a minute after the one before, and later if the directory is not at rest then", () => {
  const timing = new CutTiming(times);
  timing.looked(true, 0, 2000);
  timing.cutTaken(2000);
  timing.looked(true, 61_000, 61_000);
  expect(timing.decide(61_000)).toEqual({ lookAgainMs: 63_000 });
  timing.looked(true, 62_500, 63_000);
  expect(timing.decide(63_000)).toEqual({ lookAgainMs: 64_500 });
  timing.looked(true, undefined, 64_500);
  expect(timing.decide(64_500)).toEqual({ cut: "quiet" });
});

test("a directory that never rests is cut in motion, thirty seconds after it was due", () => {
  const timing = new CutTiming(times);
  timing.looked(true, 0, 2000);
  timing.cutTaken(2000);
  for (let nowMs = 62_000; nowMs < 92_000; nowMs += 500) {
    timing.looked(true, nowMs, nowMs);
    expect(timing.decide(nowMs)).toHaveProperty("lookAgainMs");
  }
  timing.looked(true, 92_000, 92_000);
  expect(timing.decide(92_000)).toEqual({ cut: "moving" });
});

test("a cut that came to nothing does not make the next one wait", () => {
  const timing = new CutTiming(times);
  timing.looked(true, 0, 2000);
  timing.cutTaken(2000);
  timing.cutLost();
  timing.looked(true, undefined, 3000);
  expect(timing.decide(3000)).toEqual({ cut: "quiet" });
});
