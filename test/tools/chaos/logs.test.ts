import { appendFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FaultRecord } from "../../../tools/chaos/logs/fault-log.ts";
import { Journal, readJournal } from "../../../tools/chaos/logs/journal.ts";
import { LiveWire } from "../../../tools/chaos/logs/live-wire.ts";
import { SumLogTail } from "../../../tools/chaos/logs/sum-log-tail.ts";
import { workByNode, worthwhileVictims } from "../../../tools/chaos/view.ts";
import { claim, job, line, report } from "./evidence.ts";

let path: string;
let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "kelpie-logs-"));
  path = join(directory, "log.jsonl");
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

describe("a journal", () => {
  const record: FaultRecord = { kind: "cut", what: "cut", combined: false, startMs: 1, endMs: 2 };

  it("reads back what was appended; one that nobody wrote is empty", () => {
    expect(readJournal(path, FaultRecord)).toEqual([]);
    const journal = new Journal<FaultRecord>(path);
    journal.append(record);
    journal.append({ ...record, node: "node-1" });
    expect(readJournal(path, FaultRecord)).toEqual([record, { ...record, node: "node-1" }]);
  });

  it("does not pass over a line that is none", () => {
    appendFileSync(path, '{"kind":"flood"}\n');
    expect(() => readJournal(path, FaultRecord)).toThrow();
  });
});

it("the tail of the jobs' log follows it from look to look, whole lines only", () => {
  const tail = new SumLogTail(path);
  expect(tail.read().size).toBe(0);
  const text = (step: number) => {
    const { time, ...rest } = line("node-1", step === 0 ? "start" : "step", step, step * 1000);
    return `${JSON.stringify({ time: new Date(time).toISOString(), ...rest })}\n`;
  };
  appendFileSync(path, text(0) + text(1) + text(2).slice(0, 20));
  expect(tail.read().get(job.id)).toMatchObject({ machine: "node-1", step: 1, runs: 1 });
  appendFileSync(path, text(2).slice(20));
  expect(tail.read().get(job.id)).toMatchObject({ machine: "node-1", step: 2, runs: 1 });
});

describe("a victim that is worth it", () => {
  const live = new LiveWire();
  const progress = (machine: string, step: number) =>
    new Map([[job.id, { machine, fromStep: 0, step, runs: 1, done: false }]]);
  const long = { ...job, n: 20 };
  const victims = (machine: string, step: number) => [
    ...worthwhileVictims(workByNode([long], progress(machine, step), live)),
  ];

  it("is in the middle of a job that it holds, and that has not ended", () => {
    live.note(claim("node-1", 1, 1000));
    expect(victims("node-1", 10)).toEqual(["node-1"]);
    expect(victims("node-1", 2)).toEqual([]);
    expect(victims("node-1", 18)).toEqual([]);
    live.note(claim("node-2", 2, 2000));
    expect(victims("node-1", 10)).toEqual([]);
    expect(victims("node-2", 10)).toEqual(["node-2"]);
    live.note(report("node-1", 1, 3000, 409));
    expect(victims("node-2", 10)).toEqual(["node-2"]);
    live.note(report("node-2", 2, 3000, 200));
    expect(victims("node-2", 10)).toEqual([]);
  });
});
