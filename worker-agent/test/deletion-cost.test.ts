/** What SaladCloud is told that it would cost to take this node away. */
import { expect, test } from "vitest";
import { createClock } from "../src/clock.ts";
import { DeletionCost } from "../src/imds/deletion-cost.ts";
import type { Imds, ImdsAnswer } from "../src/imds/imds.ts";
import { createLog } from "../src/log.ts";

/** The writer alone; minutes are set by hand, its tick is fast. */
function start({ tickMs = 5 } = {}) {
  let nowMs = 0;
  const watchers = new Set<() => void>();
  const state = {
    told: [] as number[],
    tries: 0,
    isDown: false,
    warnings: 0,
    isThere: true,
    pass(minutes: number) {
      nowMs += minutes * 60_000;
    },
    async until(condition: () => boolean) {
      while (!condition()) await new Promise<void>((resolve) => watchers.add(resolve));
    },
  };
  const setDeletionCost = async (cost: number): Promise<ImdsAnswer<undefined>> => {
    state.tries++;
    if (!state.isDown) state.told.push(cost);
    for (const watcher of watchers) watcher();
    watchers.clear();
    return state.isDown ? { ok: false, message: "down" } : { ok: true, value: undefined };
  };
  const cost = new DeletionCost({
    imds: { setDeletionCost } as Partial<Imds> as Imds,
    presence: {
      get isThere() {
        return state.isThere;
      },
      known: Promise.resolve(),
    },
    clock: createClock({ monotonicMs: () => nowMs, bootMs: () => undefined, wallMs: () => nowMs }),
    log: createLog({ level: "warn", write: () => state.warnings++ }),
    timings: { deletionCostTickMs: tickMs },
  });
  const over = new AbortController();
  const running = cost.run(over.signal);
  const end = async () => {
    over.abort();
    await running;
  };
  return { cost, state, end };
}
const last = (told: number[]) => told.at(-1);

test("idle, then minutes since the last checkpoint and at least 1, then the highest, then idle", async () => {
  const { cost, state, end } = start();
  await state.until(() => last(state.told) === 0);
  const job = cost.begin();
  await state.until(() => last(state.told) === 1);
  state.pass(12.9);
  await state.until(() => last(state.told) === 12);
  job.saved();
  await state.until(() => last(state.told) === 1);
  state.pass(200_000);
  await state.until(() => last(state.told) === 99_999);
  job.uploading();
  await state.until(() => last(state.told) === 100_000);
  job.saved();
  job.over();
  await state.until(() => last(state.told) === 0);
  await end();
  expect(state.told).toEqual([0, 1, 12, 1, 99_999, 100_000, 0]);
});

test("of several jobs the one counts that would lose most", async () => {
  const { cost, state, end } = start();
  const first = cost.begin();
  state.pass(30);
  const second = cost.begin();
  await state.until(() => last(state.told) === 30);
  second.uploading();
  await state.until(() => last(state.told) === 100_000);
  second.over();
  await state.until(() => last(state.told) === 30);
  first.over();
  await state.until(() => last(state.told) === 0);
  await end();
});

test("nothing is told twice, however often the job saves", async () => {
  const { cost, state, end } = start();
  const job = cost.begin();
  await state.until(() => last(state.told) === 1);
  for (let saves = 0; saves < 50; saves++) {
    job.saved();
    await new Promise((resolve) => setImmediate(resolve));
  }
  job.uploading();
  await state.until(() => last(state.told) === 100_000);
  await end();
  expect(state.told.filter((cost) => cost !== 0)).toEqual([1, 100_000]);
});

test("what could not be told is told later, and complained of once", async () => {
  const { cost, state, end } = start();
  await state.until(() => last(state.told) === 0);
  state.isDown = true;
  cost.begin().uploading();
  await state.until(() => state.tries >= 5);
  expect(state.warnings).toBe(1);
  state.isDown = false;
  await state.until(() => last(state.told) === 100_000);
  await end();
});

test("a cost whose telling failed is told again even when it is the old one: it may have been applied", async () => {
  const { cost, state, end } = start();
  await state.until(() => last(state.told) === 0);
  state.isDown = true;
  const job = cost.begin();
  await state.until(() => state.tries === 2);
  job.over();
  state.isDown = false;
  await state.until(() => state.told.length === 2);
  expect(state.told).toEqual([0, 0]);
  await end();
});

test("a service that comes later is told then", async () => {
  const { cost, state, end } = start();
  state.isThere = false;
  const job = cost.begin();
  job.uploading();
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(state.tries).toBe(0);
  state.isThere = true;
  await state.until(() => last(state.told) === 100_000);
  await end();
});

test("a service in trouble is asked once a tick, however much a job saves meanwhile", async () => {
  const { cost, state, end } = start({ tickMs: 3_600_000 });
  await state.until(() => last(state.told) === 0);
  state.isDown = true;
  const job = cost.begin();
  await state.until(() => state.tries === 2);
  for (let files = 0; files < 20; files++) {
    job.saved();
    await new Promise((resolve) => setImmediate(resolve));
  }
  job.uploading();
  await new Promise((resolve) => setImmediate(resolve));
  expect(state.tries).toBe(2);
  await end();
});
