/** The decision table: what a rule, its queue and its group come to. */
import { describe, expect, test } from "vitest";
import { decideScaling, type ScalingFacts } from "../../src/domain/scaling.ts";

const nowMs = 1_000_000_000;
const facts = (change: {
  rule?: Partial<ScalingFacts["rule"]>;
  jobs?: Partial<ScalingFacts["jobs"]>;
  group?: Partial<ScalingFacts["group"]>;
  busyNodes?: number | null;
  quotaReplicas?: number | null;
}): ScalingFacts => ({
  rule: {
    minReplicas: 0,
    maxReplicas: 10,
    jobsPerReplica: 1,
    scaleUpCooldownMs: 0,
    scaleDownCooldownMs: 900_000,
    paused: false,
    scaledUpMs: null,
    scaledDownMs: null,
    createdMs: 0,
    ...change.rule,
  },
  jobs: { pending: 0, running: 0, ended: 0, arePaused: false, ...change.jobs },
  group: { status: "running", replicas: 3, ...change.group },
  busyNodes: change.busyNodes ?? null,
  quotaReplicas: change.quotaReplicas ?? null,
  nowMs,
});
const decided = (change: Parameters<typeof facts>[0]) => {
  const { step, wanted, replicas } = decideScaling(facts(change));
  return `${step} wanted ${wanted} → ${replicas}`;
};
const stopped = (replicas = 3) => ({ status: "stopped", replicas });

describe("how many are wanted", () => {
  test.each<[string, Parameters<typeof facts>[0], string]>([
    ["pending and running count", { jobs: { pending: 2, running: 3 } }, "scale_up wanted 5 → 5"],
    ["ended lately keep what is there", { jobs: { running: 1, ended: 1 } }, "scale_down wanted 2 → 2"],
    ["and ask for nothing", { jobs: { running: 1, ended: 9 } }, "none wanted 3 → 3"],
    ["nor start a group", { jobs: { ended: 9 }, group: stopped() }, "none wanted 0 → 0"],
    [
      "several run on one instance",
      { jobs: { pending: 9 }, rule: { jobsPerReplica: 2 } },
      "scale_up wanted 5 → 5",
    ],
    ["no more than the maximum", { jobs: { pending: 99 } }, "scale_up wanted 10 → 10"],
    ["no fewer than the minimum", { rule: { minReplicas: 2 } }, "scale_down wanted 2 → 2"],
    [
      "of a queue that is paused only those that run and ended",
      { jobs: { pending: 9, running: 1, ended: 1, arePaused: true } },
      "scale_down wanted 2 → 2",
    ],
    ["as many as there are", { jobs: { pending: 3 } }, "none wanted 3 → 3"],
    [
      "those on their way are there",
      { jobs: { pending: 3 }, group: { status: "deploying" } },
      "none wanted 3 → 3",
    ],
    ["the quota's rest", { jobs: { pending: 9 }, quotaReplicas: 5 }, "scale_up wanted 5 → 5"],
    ["a quota that is used up", { jobs: { pending: 9 }, quotaReplicas: 3 }, "none wanted 3 → 3"],
    [
      "a quota that was lowered takes nothing away",
      { jobs: { pending: 9 }, quotaReplicas: 1 },
      "none wanted 3 → 3",
    ],
    [
      "a stopped group's own replicas are no claim",
      { jobs: { pending: 9 }, group: stopped(7), quotaReplicas: 2 },
      "start wanted 2 → 2",
    ],
    [
      "a stopped group beyond the quota",
      { jobs: { pending: 9 }, group: stopped(), quotaReplicas: 0 },
      "none wanted 0 → 0",
    ],
  ])("%s", (_name, change, expected) => expect(decided(change)).toBe(expected));
});

describe("statuses", () => {
  test.each<[string, number, string]>([
    ["stopped", 2, "start wanted 2 → 2"],
    ["succeeded", 2, "start wanted 2 → 2"],
    ["stopped", 0, "none wanted 0 → 0"],
    ["pending", 4, "scale_up wanted 4 → 4"],
    ["pending", 0, "stop wanted 0 → 0"],
    ["deploying", 4, "scale_up wanted 4 → 4"],
    ["deploying", 0, "stop wanted 0 → 0"],
    ["running", 0, "stop wanted 0 → 0"],
    ["failed", 4, "none wanted 4 → 3"],
    ["new-at-salad", 4, "scale_up wanted 4 → 4"],
  ])("%s with %i jobs: %s", (status, pending, expected) => {
    expect(decided({ group: { status }, jobs: { pending } })).toBe(expected);
  });
  test("replicas 0 of a running group are none, and a stop makes it so", () => {
    expect(decided({ group: { replicas: 0 } })).toBe("stop wanted 0 → 0");
    expect(decided({ group: { replicas: 0 }, jobs: { pending: 1 } })).toBe("scale_up wanted 1 → 1");
  });
});

describe("cooldowns", () => {
  const ago = (seconds: number) => nowMs - seconds * 1000;
  test.each<[string, Parameters<typeof facts>[0], string]>([
    ["down soon after up", { rule: { scaledUpMs: ago(899) } }, "none wanted 0 → 3"],
    ["down soon after down", { rule: { scaledDownMs: ago(899) } }, "none wanted 0 → 3"],
    ["down soon after the rule was made", { rule: { createdMs: ago(899) } }, "none wanted 0 → 3"],
    ["down later", { rule: { scaledUpMs: ago(900), scaledDownMs: ago(2000) } }, "stop wanted 0 → 0"],
    ["up soon after down", { rule: { scaledDownMs: ago(1) }, jobs: { pending: 4 } }, "scale_up wanted 4 → 4"],
    [
      "up soon after up",
      { rule: { scaledUpMs: ago(59), scaleUpCooldownMs: 60_000 }, jobs: { pending: 4 } },
      "none wanted 4 → 3",
    ],
    [
      "up later",
      { rule: { scaledUpMs: ago(60), scaleUpCooldownMs: 60_000 }, jobs: { pending: 4 } },
      "scale_up wanted 4 → 4",
    ],
  ])("%s", (_name, change, expected) => expect(decided(change)).toBe(expected));
});

describe("busy nodes", () => {
  test.each<[string, Parameters<typeof facts>[0], string]>([
    ["are the floor", { busyNodes: 2, jobs: { running: 1 } }, "scale_down wanted 1 → 2"],
    ["as many as there are", { busyNodes: 3 }, "none wanted 0 → 3"],
    ["one is enough not to stop", { busyNodes: 1 }, "scale_down wanted 0 → 1"],
    ["none: the group is stopped", { busyNodes: 0 }, "stop wanted 0 → 0"],
    ["more than the group has", { busyNodes: 7 }, "none wanted 0 → 3"],
  ])("%s", (_name, change, expected) => expect(decided(change)).toBe(expected));
});

test("a paused rule changes nothing", () => {
  expect(decided({ rule: { paused: true }, jobs: { pending: 9 } })).toBe("none wanted 9 → 3");
  expect(decided({ rule: { paused: true } })).toBe("none wanted 0 → 3");
});

test.each([
  [9, 5, true],
  [9, 9, false],
  [2, 2, false],
])("%i jobs, a quota of %i: short is %s", (pending, quotaReplicas, isShort) => {
  expect(decideScaling(facts({ jobs: { pending }, quotaReplicas })).isShort).toBe(isShort);
});

test("reasons are words that name what counted", () => {
  const { reason } = decideScaling(facts({ jobs: { pending: 9 }, quotaReplicas: 5 }));
  expect(reason).toBe("9 pending, 0 running, 0 ended lately: wants 9, the quota leaves 5; the group has 3");
});
