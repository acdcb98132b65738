/** What the lab calls wrong. */
import { describe, expect, test } from "vitest";
import type { Attempt, Job } from "../../src/contract/index.ts";
import { judgeLab, type LabEvidence } from "../../tools/lab/verdict.ts";
import type { SumEvent } from "../../tools/sum-log.ts";
import { medianLine } from "../salad/hardware.ts";

const takenMs = Date.parse("2026-01-01T00:10:00.000Z");
const at = (offsetMs: number) => new Date(takenMs + offsetMs).toISOString();
const event = (event: SumEvent["event"], step: number, sum: number): SumEvent => ({
  ...{ time: takenMs, job: "job-1", pid: 1, machine: "m1", ms: 100 },
  ...{ event, step, sum },
});
const hardware = (speed: number) => new Map([["m1", { speed, line: medianLine }]]);
const attempt = (fields: Partial<Attempt>): Attempt =>
  ({ number: 1, instance_id: "i1", end: "completed", ended: at(0), ...fields }) as Attempt;

const well: LabEvidence = {
  jobs: [
    {
      job: { id: "job-1", status: "completed" } as Job,
      ...{ name: "sum-001", n: 2, output: '{"n":2,"sum":3}' },
      attempts: [attempt({})],
    },
  ],
  log: {
    events: [event("start", 0, 0), event("step", 1, 1), event("step", 2, 3), event("done", 2, 3)],
    unreadable: [],
  },
  taken: new Map([["i1", takenMs]]),
  takenEarly: 2,
  ...{ hardware: hardware(1), stepSeconds: 0.1, bytes: { up: 1_000, down: 2_400 } },
  ...{ instancesLeft: 0, status: "stopped", interruptions: 0, zombies: 0, agents: 1 },
  ...{ requests: 3, tooMany: 0, bursts: 1, mostReplicas: 1, zeros: 1 },
};
const withAttempt = (fields: Partial<Attempt>): LabEvidence => ({
  ...well,
  jobs: well.jobs.map((job) => ({ ...job, attempts: [attempt(fields)] })),
});

test("nothing, if all is right", () => {
  expect(judgeLab(well).problems).toEqual([]);
});

describe("what is wrong is said", () => {
  test.each<[string, LabEvidence]>([
    ["scale-in took attempt 1 of sum-001 (interrupted)", withAttempt({ end: "interrupted", ended: at(1) })],
    ["scale-in took attempt 1 of sum-001 (released)", withAttempt({ end: "released", ended: at(1) })],
    ["scale-in took attempt 1 of sum-001 (null)", withAttempt({ end: null, ended: null })],
    ["the group is running at the end", { ...well, status: "running" }],
    ["1 instances are left at the end", { ...well, instancesLeft: 1 }],
    ["1 bursts did not end with nothing left", { ...well, zeros: 0 }],
    ["SaladCloud refused 2 requests for their number", { ...well, tooMany: 2 }],
    ["machine m1 computed faster than it can", { ...well, hardware: hardware(0.9) }],
    ["machine m1 computed faster than it can", { ...well, hardware: new Map() }],
    ["sum-001 has no output", { ...well, jobs: well.jobs.map((job) => ({ ...job, output: undefined })) }],
    [
      "sum-001 steps that nobody computed: 1, 2",
      { ...well, log: { events: [event("done", 2, 3)], unreadable: [] } },
    ],
  ])("%s", (problem, evidence) => {
    expect(judgeLab(evidence).problems).toEqual([problem]);
  });
});

test("what machines were there, and what passed over their lines, is told", () => {
  const { lines } = judgeLab(well);
  expect(lines).toContainEqual(expect.stringMatching(/^machines' speeds +1.00 to 1.00, of 1 machines$/));
  expect(lines).toContainEqual(expect.stringMatching(/^over their lines +1 kB up, 2 kB down$/));
});

test("what ended there before it was taken is no loss", () => {
  expect(judgeLab(withAttempt({ end: "interrupted", ended: at(-1) })).problems).toEqual([]);
});

test("instances that scale-in took before they ran are told apart from those that ran", () => {
  const { lines } = judgeLab(well);
  expect(lines).toContainEqual(
    expect.stringMatching(/taken by scale-in +1, 0 of them with a lease; 2 more before they ran$/),
  );
});
