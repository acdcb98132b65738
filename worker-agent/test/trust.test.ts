import { expect, onTestFinished, test } from "vitest";
import { createClock } from "../src/clock.ts";
import { LeaseEnded, Trust } from "../src/lease/trust.ts";

const termMs = 100_000; // margin: 10 %

function setup(bounds: { maxUntrustedMs?: number } = {}) {
  const now = { monotonicMs: 0, bootMs: 0, wallMs: 0 };
  const clock = createClock({
    monotonicMs: () => now.monotonicMs,
    bootMs: () => now.bootMs,
    wallMs: () => now.wallMs,
  });
  let lapses = 0;
  const trust = new Trust({
    clock,
    tickMs: 5,
    maxUntrustedMs: 3_600_000,
    onLapse: () => lapses++,
    ...bounds,
  });
  onTestFinished(() => trust.close());
  return { now, clock, trust, lapses: () => lapses };
}

/** Whether the gate lets an effect through at once. */
async function isReady(trust: Trust): Promise<boolean> {
  const later = Symbol();
  const first = await Promise.race([trust.ready(), new Promise((resolve) => setImmediate(resolve, later))]);
  return first !== later;
}

const aborts = (signal: AbortSignal) =>
  new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve());
  });

test("a lease that was never renewed is not trusted", async () => {
  const { trust } = setup();
  expect(await isReady(trust)).toBe(false);
  expect(trust.signal.aborted).toBe(true);
});

test("the term counts from the sending of a renewal, not from its answer", async () => {
  const { now, clock, trust } = setup();
  const sentAt = clock.mark();
  now.monotonicMs = 80_000; // the answer took so long
  trust.renewed(sentAt, termMs);
  expect(await isReady(trust)).toBe(true);
  now.monotonicMs = 90_001; // term minus margin, from the sending
  expect(await isReady(trust)).toBe(false);
});

test("an answer that came after the term gives no trust", async () => {
  const { now, clock, trust } = setup();
  const sentAt = clock.mark();
  now.monotonicMs = 95_000;
  trust.renewed(sentAt, termMs);
  expect(await isReady(trust)).toBe(false);
});

test("short terms keep a margin of two seconds", async () => {
  const { now, clock, trust } = setup();
  trust.renewed(clock.mark(), 10_000);
  now.monotonicMs = 7_999;
  expect(await isReady(trust)).toBe(true);
  now.monotonicMs = 8_001;
  expect(await isReady(trust)).toBe(false);
});

test.each([
  ["the boot clock", { bootMs: 600_000 }],
  ["the wall clock", { wallMs: 600_000 }],
])("a machine that slept 10 minutes no longer trusts its lease: seen by %s", async (_clock, slept) => {
  const { now, clock, trust, lapses } = setup();
  trust.renewed(clock.mark(), termMs);
  const effects = trust.signal;
  Object.assign(now, slept);
  await aborts(effects); // uploads in flight are aborted, without anybody asking
  expect(lapses()).toBe(1);
  expect(await isReady(trust)).toBe(false);
  trust.renewed(clock.mark(), termMs);
  expect(await isReady(trust)).toBe(true);
  expect(trust.signal.aborted).toBe(false);
  expect(effects.aborted).toBe(true);
});

test("a wall clock set back does not prolong trust", async () => {
  const { now, clock, trust } = setup();
  trust.renewed(clock.mark(), termMs);
  Object.assign(now, { wallMs: -3_600_000, monotonicMs: 90_001, bootMs: 90_001 });
  expect(await isReady(trust)).toBe(false);
});

test("trust regained lets waiting effects through", async () => {
  const { now, clock, trust } = setup();
  trust.renewed(clock.mark(), termMs);
  now.monotonicMs = 95_000;
  const waiting = trust.ready();
  trust.renewed(clock.mark(), termMs);
  await waiting;
});

test("superseded: waiting effects are refused, those in flight aborted, later renewals change nothing", async () => {
  const { clock, trust } = setup();
  const waiting = trust.ready();
  trust.end("superseded");
  await expect(waiting).rejects.toThrow(LeaseEnded);
  trust.renewed(clock.mark(), termMs);
  await expect(trust.ready()).rejects.toThrow("superseded");
  expect(trust.signal.aborted).toBe(true);
  expect(trust.ended.reason).toBeInstanceOf(LeaseEnded);
});

test("an hour without trust ends the attempt; an hour asleep does not", async () => {
  const { now, clock, trust } = setup({ maxUntrustedMs: 3_600_000 });
  trust.renewed(clock.mark(), termMs);
  now.bootMs = 7_200_000;
  await aborts(trust.signal);
  now.bootMs = 14_400_000;
  expect(await isReady(trust)).toBe(false);
  expect(trust.ended.aborted).toBe(false);
  now.monotonicMs = 3_600_000;
  await aborts(trust.ended);
  await expect(trust.ready()).rejects.toThrow("no renewal succeeded for 3600 s");
});

test("a renewal answered after the attempt's end does not watch over it again", async () => {
  const { now, clock, trust, lapses } = setup();
  trust.close();
  trust.renewed(clock.mark(), termMs);
  now.monotonicMs = 200_000;
  await new Promise((resolve) => setTimeout(resolve, 20)); // four ticks
  expect(lapses()).toBe(0);
});
