/** The stall watch alone, with a clock that a test moves: what counts as silence, and what does not. */
import { expect, onTestFinished, test } from "vitest";
import { createClock } from "../../src/clock.ts";
import { AttemptProgress } from "../../src/progress/attempt-progress.ts";
import { stallOf } from "../../src/progress/stall.ts";

/** Of 100 s; each look at the clocks finds that 1 s has passed, or what a test says. */
function watch(look: (progress: AttemptProgress) => void = () => undefined) {
  const progress = new AttemptProgress();
  let nowMs = 0;
  const state = { looks: 0, heldUp: false, tickMs: 1_000 };
  const watchers = new Set<() => void>();
  const clock = createClock({
    monotonicMs: () => {
      nowMs += state.tickMs / 2;
      return nowMs;
    },
    bootMs: () => undefined,
    wallMs: () => 0,
  });
  const stopper = stallOf(0.1, {
    progress,
    clock,
    tickMs: 1,
    isHeldUp() {
      state.looks += 1;
      for (const watcher of watchers) watcher();
      return state.heldUp;
    },
    look: async () => look(progress),
  });
  onTestFinished(() => stopper.release());
  return {
    progress,
    stopper,
    state,
    async looks(count: number) {
      const target = state.looks + count;
      while (state.looks < target && !stopper.signal.aborted)
        await new Promise<void>((resolve) => {
          watchers.add(resolve);
          stopper.signal.addEventListener("abort", () => resolve(), { once: true });
        });
    },
    stalled: () =>
      new Promise<Error>((resolve) => {
        if (stopper.signal.aborted) resolve(stopper.signal.reason);
        stopper.signal.addEventListener("abort", () => resolve(stopper.signal.reason), { once: true });
      }),
  };
}

test("silence for as long as the job allows ends the attempt as stalled", async () => {
  const { stalled } = watch();
  expect(await stalled()).toMatchObject({
    name: "CommandOverrun",
    end: "stalled",
    message: "no new step and no checkpoint for 0.1 s (stall_timeout_seconds)",
  });
});

test("time without trust, or with an upload on its way, does not count", async () => {
  const { state, looks, stopper, stalled } = watch();
  state.heldUp = true;
  await looks(300);
  expect(stopper.signal.aborted).toBe(false);
  state.heldUp = false;
  await stalled();
});

test("a step that was told and not yet read counts before the end is asked for", async () => {
  let unread = 3;
  const { stalled } = watch((progress) => {
    if (unread > 0) progress.told({ step: 10 - unread-- });
  });
  await stalled();
  expect(unread).toBe(0);
});

test("time that nobody saw counts for little: a frozen container is no stalled command", async () => {
  const { state, looks, stopper } = watch();
  state.tickMs = 1_000_000;
  await looks(5);
  expect(stopper.signal.aborted).toBe(false);
});
