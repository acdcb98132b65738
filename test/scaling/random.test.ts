/**
 * Random histories of the autoscaler, each from one number. `SCALING_SEED=N` runs that one alone, `SCALING_HISTORIES=N` so many, and
 * `SCALING_ACTIONS=N` sets the length of each.
 */
import { expect, test } from "vitest";
import { runHistory } from "./random-history.ts";

const number = (name: string, otherwise: number) => Number(process.env[name] ?? otherwise);
const actions = number("SCALING_ACTIONS", 60);
const histories = number("SCALING_HISTORIES", 120);
const alone = process.env.SCALING_SEED;
const seeds = alone === undefined ? Array.from({ length: histories }, (_, at) => at + 1) : [Number(alone)];

test("no random history breaks an invariant", async () => {
  const checks = new Map<string, number>();
  for (const seed of seeds) {
    const { violation, lines, ...report } = await runHistory(seed, actions);
    for (const [invariant, count] of report.checks)
      checks.set(invariant, (checks.get(invariant) ?? 0) + count);
    if (violation === null) continue;
    console.error(`${lines.join("\n")}\n\nSCALING_SEED=${seed}: ${violation.invariant}: ${violation.said}`);
    expect.fail(`seed ${seed}: ${violation.invariant}: ${violation.said}`);
  }
  if (alone !== undefined) return;
  const rare = [...checks].filter(([, count]) => count < histories / 2);
  expect(rare, "checked too seldom to mean anything").toEqual([]);
});

test("the same seed is the same history, to the last event", async () => {
  const [once, again, other] = [await runHistory(1, 30), await runHistory(1, 30), await runHistory(2, 30)];
  expect(again.digest).toBe(once.digest);
  expect(other.digest).not.toBe(once.digest);
});
