import { describe, expect, it } from "vitest";
import type { SumEvent } from "../../tools/sum-log.ts";
import { chooseVictim, type JobProgress, progressOf } from "../../tools/sum-progress.ts";

const event = (kind: SumEvent["event"], machine: string, step: number): SumEvent => ({
  ...{ time: 0, job: "a", pid: 1, machine, event: kind, step, sum: (step * (step + 1)) / 2 },
});

describe("progressOf", () => {
  it("follows a job from node to node", () => {
    const events = [event("start", "node-1", 0), event("step", "node-1", 1), event("step", "node-1", 2)];
    expect(progressOf(events)).toEqual({ machine: "node-1", fromStep: 0, step: 2, runs: 1, done: false });
    events.push(event("resume", "node-2", 1));
    expect(progressOf(events)).toEqual({ machine: "node-2", fromStep: 1, step: 1, runs: 2, done: false });
    events.push(event("step", "node-2", 2), event("done", "node-2", 2));
    expect(progressOf(events)).toMatchObject({ step: 2, runs: 2, done: true });
  });
});

describe("chooseVictim", () => {
  const job = (machine: string, fromStep: number, step: number, done = false) => ({
    n: 20,
    progress: { machine, fromStep, step, runs: 1, done } satisfies JobProgress,
  });
  const alive = new Set(["node-1", "node-2", "node-3"]);
  const steps = { before: 5, after: 4 };

  it("takes the one that is furthest", () => {
    expect(chooseVictim([job("node-1", 0, 6), job("node-2", 0, 9)], alive, steps)).toBe("node-2");
  });

  it("spares who has just begun, is about to finish, is done, or is dead already", () => {
    const jobs = [
      job("node-1", 8, 12),
      job("node-2", 0, 17),
      job("node-3", 0, 10, true),
      job("node-4", 0, 10),
      { n: 20, progress: progressOf([]) },
    ];
    expect(chooseVictim(jobs, alive, steps)).toBeUndefined();
  });
});
