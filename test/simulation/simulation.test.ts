/** 10,000 simulated node-hours on fixed seeds; a failing one is replayed by `npm run simulate -- --seed N --hours H`. */
import { expect, it } from "vitest";
import { describeViolation } from "./report.ts";
import type { ScenarioName } from "./scenario.ts";
import { type Report, simulate } from "./simulate.ts";

const runs: { seed: number; hours: number; scenario: ScenarioName }[] = [
  ...[2, 4, 6].map((seed) => ({ seed, hours: 3_300, scenario: "fleet" as const })),
  ...[1, 5, 9, 13].map((seed) => ({ seed, hours: 16, scenario: "hostile" as const })),
  ...[3, 7].map((seed) => ({ seed, hours: 10, scenario: "closed-page" as const })),
  ...[8, 10].map((seed) => ({ seed, hours: 12, scenario: "forgetful" as const })),
  ...[19, 20].map((seed) => ({ seed, hours: 8, scenario: "pauses" as const })),
  ...[16, 17].map((seed) => ({ seed, hours: 12, scenario: "snapshots" as const })),
];

it("10,000 node-hours are what these runs add up to", () => {
  expect(runs.reduce((sum, { hours }) => sum + hours, 0)).toBeGreaterThanOrEqual(10_000);
});

it.each(runs)("seed $seed: $hours node-hours, $scenario", async (run) => {
  const report = await simulate(run);
  expect(describeViolation(report)).toBe("no invariant broken");
  expect(report.nodeHours).toBeGreaterThanOrEqual(run.hours);
  // A run in which nothing happens proves nothing.
  expect(report.attempts).toBeGreaterThan(run.scenario === "snapshots" ? 80 : 200);
  if (run.scenario === "snapshots") {
    expect(report.commits).toBeGreaterThan(200);
    for (const kind of ["transfer late", "object rotted", "swept generations", "swept attempts"]) {
      expect(report.faults.get(kind), kind).toBeGreaterThan(0);
    }
  }
  for (const kind of ["d1 late", "d1 answer-lost", "d1 crash-before", "d1 crash-after", "message lost"]) {
    expect(report.faults.get(kind), kind).toBeGreaterThan(0);
  }
});

it("the same seed is the same run, to the last event", async () => {
  const one = { seed: 11, hours: 3, scenario: "hostile" as const };
  const digest = ({ digest, events, jobs }: Report) => ({ digest, events, jobs });
  const first = digest(await simulate(one));
  expect(digest(await simulate(one))).toEqual(first);
  expect(digest(await simulate({ ...one, seed: 12 }))).not.toEqual(first);
});
