import { describe, expect, it } from "vitest";
import { type Evidence, judge } from "../../tools/demo/judge.ts";
import { parseSumLog, type SumEvent } from "../../tools/sum-log.ts";

const sumTo = (n: number) => (n * (n + 1)) / 2;

/** A run's lines: begins at `from`, computes up to `to`, one step a second from `time`. */
function run(job: string, machine: string, from: number, to: number, time: number, end?: "done"): SumEvent[] {
  const line = (event: SumEvent["event"], step: number, at: number): SumEvent => ({
    ...{ time: at, job, pid: 7, machine, event, step, sum: sumTo(step) },
    ...(event === "step" ? { ms: 900 } : {}),
  });
  const steps = Array.from({ length: to - from }, (_, index) => from + index + 1);
  const events = [
    line(from > 0 ? "resume" : "start", from, time),
    ...steps.map((step, index) => line("step", step, time + (index + 1) * 1000)),
  ];
  return end ? [...events, line(end, to, time + steps.length * 1000)] : events;
}

/** Job a ran through; job b was killed on node-2 after step 4 and taken up from step 3 by node-3. */
function rightEvidence(): Evidence {
  return {
    jobs: [
      { id: "a", name: "sum-a", n: 3 },
      { id: "b", name: "sum-b", n: 6 },
    ],
    log: {
      events: [
        ...run("a", "node-1", 0, 3, 1000, "done"),
        ...run("b", "node-2", 0, 4, 1000),
        ...run("b", "node-3", 3, 6, 20_000, "done"),
      ],
      unreadable: [],
    },
    outputs: new Map([
      ["a", '{"n":3,"sum":6}\n'],
      ["b", '{"n":6,"sum":21}\n'],
    ]),
    nodes: [
      { machine: "node-1", startedMs: 0 },
      { machine: "node-2", startedMs: 0, killedMs: 5500 },
      { machine: "node-3", startedMs: 6000 },
    ],
  };
}

describe("judge", () => {
  it("finds nothing wrong where a killed node's job was finished by another", () => {
    const verdict = judge(rightEvidence());
    expect(verdict.failures).toEqual([]);
    expect(verdict.rightSums).toBe(2);
  });

  it("counts a step that two nodes computed, and its time as useful only once", () => {
    const verdict = judge(rightEvidence());
    expect(verdict).toMatchObject({ stepsNeeded: 9, stepsComputed: 10, stepsTwice: 1, usefulMs: 9 * 900 });
  });

  it("counts node time from start to kill, or to the last job's end", () => {
    // The last job is done at 23,000.
    expect(judge(rightEvidence()).nodeMs).toBe(23_000 + 5500 + 17_000);
  });

  it("tells from which step a killed job went on, and after how long", () => {
    expect(judge(rightEvidence()).resumptions).toEqual([
      {
        name: "sum-b",
        from: "node-2",
        to: "node-3",
        reachedStep: 4,
        resumedStep: 3,
        killToResumeMs: 14_500,
      },
    ]);
  });

  it("gives no time since the kill where nobody was killed", () => {
    const evidence = rightEvidence();
    evidence.nodes = evidence.nodes.map(({ machine, startedMs }) => ({ machine, startedMs }));
    expect(judge(evidence).resumptions[0]?.killToResumeMs).toBeUndefined();
  });

  it.each([
    ["a wrong sum", '{"n":3,"sum":7}', "sum-a: its sum is 7, not 6"],
    ["the sum of another n", '{"n":2,"sum":3}', "sum-a: its output is for n = 2, not 3"],
    ["a torn output", '{"n":3,"su', 'sum-a: its output is not JSON: {"n":3,"su'],
    ["an empty object", "{}", "sum-a: its output is for n = undefined, not 3"],
    ["null", "null", "sum-a: its output is for n = undefined, not 3"],
  ])("fails on %s", (_, output, failure) => {
    const evidence = rightEvidence();
    evidence.outputs.set("a", output);
    const verdict = judge(evidence);
    expect(verdict.failures).toEqual([failure]);
    expect(verdict.rightSums).toBe(1);
  });

  it("fails on a missing output though the log says done", () => {
    const evidence = rightEvidence();
    evidence.outputs.delete("a");
    expect(judge(evidence).failures).toEqual(["sum-a: has no output"]);
  });

  it("fails on a job that the log never mentions", () => {
    const evidence = rightEvidence();
    evidence.jobs.push({ id: "c", name: "sum-c", n: 2 });
    evidence.outputs.set("c", '{"n":2,"sum":3}');
    expect(judge(evidence).failures).toEqual([
      "sum-c: never got done",
      "sum-c: steps that nobody computed: 1, 2",
    ]);
  });

  it("fails on a job that resumed further than anybody had computed", () => {
    const evidence = rightEvidence();
    evidence.log.events = evidence.log.events.filter(
      ({ job, event, step }) => !(job === "b" && event === "step" && step === 3),
    );
    expect(judge(evidence).failures).toEqual(["sum-b: steps that nobody computed: 3"]);
  });

  it("fails on a sum that went wrong on the way, even if the output is right", () => {
    const evidence = rightEvidence();
    const event = evidence.log.events.find(({ job, step }) => job === "a" && step === 2);
    if (event) event.sum = 4;
    expect(judge(evidence).failures).toEqual(["sum-a: on node-1, step at step 2 with sum 4"]);
  });

  it("fails on lines that are no events and on jobs that nobody submitted", () => {
    const evidence = rightEvidence();
    evidence.log.unreadable.push("{half");
    evidence.log.events.push(...run("stranger", "node-1", 0, 0, 1000));
    expect(judge(evidence).failures).toEqual([
      "The log has a line that is no event: {half",
      'The log tells of an unknown job "stranger"',
    ]);
  });
});

describe("parseSumLog", () => {
  const line =
    '{"time":"2026-11-22T10:00:00.000Z","job":"a","pid":7,"machine":"node-1","event":"step","step":1,"sum":1,"ms":5}';

  it("reads whole lines and leaves out one that is still being written", () => {
    const log = parseSumLog(`${line}\n${line.slice(0, 30)}`);
    expect(log.events).toHaveLength(1);
    expect(log.unreadable).toEqual([]);
  });

  it("sets lines aside that are no events", () => {
    const log = parseSumLog(`not json\n${line}\n{"time":"2026"}\n`);
    expect(log.events).toHaveLength(1);
    expect(log.unreadable).toEqual(["not json", '{"time":"2026"}']);
  });
});
