/** Days of the shipped autoscaler in virtual time; one that fails is replayed by `npm run simulate -- --scaling --seed N`. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { ScalingGroup } from "../../../src/scaling/ports.ts";
import { projectRoot } from "../../../tools/project.ts";
import { medianLine } from "../../salad/hardware.ts";
import { hour } from "../scenario.ts";
import { readTraces } from "../traces/trace-file.ts";
import type { Random } from "../world/random.ts";
import { documentedChurn, recordedChurn } from "./churn.ts";
import { type DayReport, simulateDay } from "./day.ts";
import { dayComplaints, dayTable, ruleInWords } from "./day-table.ts";

/** The recordings are not ours to publish, so they lie beside the repository, where they do. */
const recordings = join(projectRoot, "..", "shared", "data", "salad-churn-traces.json");
const churn = existsSync(recordings) ? recordedChurn(readTraces(recordings)) : documentedChurn;
const dayTimeoutMs = 300_000;

describe("a day of 200 jobs in bursts", { timeout: dayTimeoutMs }, () => {
  it("all are done, scale-in takes no lease, nothing is left between bursts", async () => {
    const report = await simulateDay({ seed: 3, churn, policy: "shipped" });
    expect(dayComplaints(report)).toEqual([]);
    expect(report.jobs).toBe(200);
    // A day on which nothing happens proves nothing.
    expect(report.actions.get("scale_down")).toBeGreaterThan(10);
    expect(report.actions.get("start")).toBeGreaterThanOrEqual(5);
    expect(report.saladFailed).toBeGreaterThan(0);
    // By submission, not by the next minute's cron.
    for (const { firstAskedMs } of report.bursts) expect(firstAskedMs).toBeLessThan(30_000);
    for (const { askedMs } of report.bursts) expect(askedMs).toBeLessThan(3 * 60_000);
    expect(report.mostRequestsPerMinute).toBeLessThan(60);
    expect(report.runningMs).toBeGreaterThan(report.workMs);
    expect(report.runningMs * report.meanSpeed).toBeLessThan(1.6 * report.workMs);
  });

  it("without the hold on grants the same day sees scale-in take leases", async () => {
    const report = await simulateDay({
      seed: 3,
      churn: documentedChurn,
      policy: "shipped",
      bendGroup: holdNobody,
    });
    expect(report.violation).toBeNull();
    expect(report.takenAway.attempts).toBeGreaterThan(0);
    expect(dayComplaints(report).join()).toContain("held a lease");
  });

  it("the original's policy meets the same jobs and the same machines", async () => {
    // Short lives: machines join at any time, wherever a policy's draws stand by then.
    const shortLived = { ...documentedChurn, lifeMs: (random: Random) => random.exponential(3 * hour) };
    const two = { seed: 4, churn: shortLived, bursts: 2 };
    const ours = await simulateDay({ ...two, policy: "shipped" });
    const theirs = await simulateDay({ ...two, policy: "kelpie" });
    expect(theirs.workMs).toBe(ours.workMs);
    expect([ours.done, theirs.done]).toEqual([ours.jobs, theirs.jobs]);
    // What came of the machines that vanished and ran on beside their replacements, the invariants would tell.
    expect([ours.violation, theirs.violation]).toEqual([null, null]);
    expect(ours.zombies).toBeGreaterThan(0);
    expect(ours.interruptions).toBeGreaterThan(ours.zombies);
    const both = Math.min(ours.machines.length, theirs.machines.length);
    expect(both).toBeGreaterThan(40);
    expect(theirs.machines.slice(0, both)).toEqual(ours.machines.slice(0, both));
    expect(new Set(ours.machines.map(({ speed }) => speed)).size).toBe(ours.machines.length);
    expect(dayTable([ours, theirs])[0]).toMatch(/ours +Kelpie's policy/);
  });
});

it("slower machines end later and cost more, for the same work", { timeout: dayTimeoutMs }, async () => {
  const dayAt = (speed: number) =>
    simulateDay({
      ...{ seed: 11, policy: "shipped", bursts: 1 },
      churn: { ...documentedChurn, hardware: () => ({ line: medianLine, speed }) },
    });
  const [best, slow] = [await dayAt(1), await dayAt(0.5)];
  expect([best.meanSpeed, slow.meanSpeed]).toEqual([1, 0.5]);
  expect(slow.workMs).toBe(best.workMs);
  const doneMs = ({ bursts }: DayReport) => bursts[0]?.doneMs ?? Number.NaN;
  expect(doneMs(slow)).toBeGreaterThan(doneMs(best));
  // The work itself takes twice as long; start-up, transfers and idle time do not.
  expect(slow.runningMs).toBeGreaterThan(best.runningMs + 0.9 * best.workMs);
  expect(slow.runningMs).toBeLessThan(2 * best.runningMs);
});

it("the rule's cooldown can be another: instances that wait for nothing cost less", {
  timeout: dayTimeoutMs,
}, async () => {
  const one = { seed: 11, churn: documentedChurn, policy: "shipped", bursts: 1 } as const;
  const [usual, none] = [await simulateDay(one), await simulateDay({ ...one, scaleDownCooldown: 0 })];
  expect(dayComplaints(none)).toEqual([]);
  expect(ruleInWords(usual)).toContain("scale-down cooldown 900 s");
  expect(ruleInWords(none)).toContain("scale-down cooldown 0 s");
  expect(none.workMs).toBe(usual.workMs);
  expect(none.runningMs).toBeLessThan(usual.runningMs);
});

it("the same seed is the same day, to the last event", { timeout: dayTimeoutMs }, async () => {
  const one = { seed: 11, churn: documentedChurn, policy: "shipped", bursts: 1 } as const;
  const { digest } = await simulateDay(one);
  expect((await simulateDay(one)).digest).toBe(digest);
  expect((await simulateDay({ ...one, seed: 12 })).digest).not.toBe(digest);
});

/** Tells who is busy, and withholds nothing. */
function holdNobody(group: ScalingGroup): ScalingGroup {
  return {
    ...group,
    async holdGrants(key, operationId, untilMs) {
      const answer = await group.holdGrants(key, operationId, untilMs);
      await group.narrowHold(key, operationId, { instances: [], untilMs: 0 }, 0);
      return answer;
    },
    narrowHold: async () => true as never,
    grantHold: async () => null,
  };
}
