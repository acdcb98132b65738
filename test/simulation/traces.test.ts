/**
 * The replay of recorded jobs against traces small enough to reckon by hand: a node takes 41.55 s from its coming to the command's
 * work (1 s start, 0.15 s claim, 0.4 s for two small files, 40 s of the application's own checks).
 */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { projectRoot } from "../../tools/project.ts";
import { type Account, accountOf } from "./traces/account.ts";
import { type Assumptions, assumptions } from "./traces/assumptions.ts";
import { replayOnEngine } from "./traces/engine-replay.ts";
import { replayPolling } from "./traces/polling-replay.ts";
import { ideal, kelpie } from "./traces/queues.ts";
import { complaints, efficiency, type JobReplay, replayJob } from "./traces/replay.ts";
import { runTraces } from "./traces/run.ts";
import { nodeTimeline } from "./traces/timeline.ts";
import { BadTraceFile, parseTraces, readTraces, type TracedJob } from "./traces/trace-file.ts";

const known: Assumptions = { ...assumptions, checkpointBytes: 0 };
/** A second of work per job; on a machine that does much else, many more. */
const recordedJobsTimeoutMs = 300_000;
const dayMs = Date.parse("2024-11-02T00:00:00Z");

interface Written {
  machine: string;
  begin: string;
  last_seen: string;
}

/** Times of day, as the file has them. */
const segment = (machine: string, begin: string, lastSeen: string, day = "02"): Written => ({
  machine,
  begin: `2024-11-02T${begin}`,
  last_seen: `2024-11-${day}T${lastSeen}`,
});

function written(job: string, wallHours: number, segments: Written[], others: object = {}) {
  const lines = { down_mbps: 100, up_mbps: 20 };
  const defaults = { source: "kelpie, by hand", job, compute_hours: 1, wall_hours: wallHours };
  return { ...defaults, segments: segments.map((one) => ({ ...one, ...lines })), ...others };
}

/** An hour of work; its node is lost after 20 minutes' worth of checkpoints, and the next begins a quarter of an hour later. */
const interrupted = written("interrupted", 1.25, [
  segment("a", "00:00:00", "00:20:00"),
  segment("b", "00:35:00", "01:15:00"),
]);

/** The same, but machine c has been idle since another job ended on it. */
const beforeIt = written("before it", 1, [segment("c", "22:00:00", "23:00:00")]);
const spare = written("spare", 17 / 15, [
  segment("a", "23:10:00", "23:30:00"),
  segment("c", "23:37:00", "00:17:00", "03"),
]);

/** SQS takes the job from a worker that lives, after 12 hours; the worker notices at the end of the minute after. */
const sqsJob = written(
  "limit",
  24 + 70 / 3600,
  [segment("a", "00:00:00", "12:01:00"), segment("a", "12:01:10", "00:01:10", "03")],
  { source: "aws sqs", compute_hours: 24 },
);

const parsed = (...jobs: object[]): TracedJob[] => parseTraces(JSON.stringify(jobs));
const [job] = parsed(interrupted);

async function replayed(jobs: TracedJob[], which = 0, with_ = known): Promise<JobReplay> {
  const one = jobs[which];
  if (!one) throw new Error("no such job");
  return replayJob(one, jobs, { known: with_, withOurs: true }, 1);
}

/** Seconds per category, as hand-reckoned ones are written. */
const secondsOf = (account: Account | null) =>
  Object.fromEntries(Object.entries(account?.ms ?? {}).map(([name, ms]) => [name, ms / 1000]));

describe("a node lost between checkpoints", () => {
  it("was there until the middle of what the gap allows, and the next came one start before its work", () => {
    // The upload takes 0.5 s, so at 00:20:00.5 the earliest, at 00:30:00 the latest.
    const [first, second] = nodeTimeline(job as TracedJob, [job as TracedJob], known);
    expect(first).toMatchObject({ machineId: "a", fromMs: dayMs - 41_550, toMs: dayMs + 1_500_250 });
    expect(second).toMatchObject({
      machineId: "b",
      fromMs: dayMs + 2_058_450,
      toMs: Number.POSITIVE_INFINITY,
    });
  });

  it("the original, whose loss is long known when the next node comes", async () => {
    const { original, recorded, reproduced, broken } = await replayed(parsed(interrupted));
    expect(secondsOf(original)).toEqual({
      noNode: 558.2,
      lost: 300.25,
      app: 40,
      detection: 0,
      start: 1.15,
      download: 0.4,
    });
    expect(original.wallMs).toBe(4_500_000);
    expect([recorded, reproduced]).toEqual([80, 80]);
    expect(broken).toEqual([]);
  });

  it("ours, which differs by its calls only, on the shipped engine", async () => {
    const { ours, engine } = await replayed(parsed(interrupted));
    const seconds = secondsOf(ours);
    expect(seconds).toMatchObject({ app: 40, detection: 0, download: 0.4 });
    expect(seconds.noNode).toBeCloseTo(558.2, 1);
    // A second for the agent's start, two messages and two calls of D1.
    expect(seconds.start).toBeGreaterThan(1);
    expect(seconds.start).toBeLessThan(1.5);
    expect(seconds.lost).toBeCloseTo(300.25, 0);
    expect((ours?.wallMs ?? 0) / 1000).toBeCloseTo(4_500, -1);
    // The last upload, and the report.
    expect(engine?.reportMs).toBeGreaterThan(500);
    expect(engine?.reportMs).toBeLessThan(1_000);
    expect(engine?.attempts.map(({ machineId }) => machineId)).toEqual(["a", "b"]);
    expect(engine?.checks).toBeGreaterThan(1_000);
  });

  it("the bound: no start, no calls, no transfers; and the bound with every moment saved", async () => {
    const { bound, continuousWallMs } = await replayed(parsed(interrupted));
    // It begins 1.55 s sooner on both, so that much more is lost with the first.
    expect(secondsOf(bound)).toEqual({
      noNode: 558.2,
      lost: 301.8,
      app: 40,
      detection: 0,
      start: 0,
      download: 0,
    });
    expect(bound.wallMs).toBe(4_500_000);
    // 3,600 s of work, 558.2 without a node, 40 of checks, less than one second lost.
    expect(continuousWallMs / 1000).toBeCloseTo(4_198.2 + 0.8, 5);
    expect(efficiency(3_600_000, continuousWallMs)).toBeCloseTo(85.73, 2);
  });
});

describe("a node lost while a spare waits", () => {
  const jobs = parsed(beforeIt, spare);

  it("all that detection and start leave of the gap was lost work", () => {
    // 420 s less 0.55 s of start and 50 s of detection on average.
    const [first, second] = nodeTimeline(jobs[1] as TracedJob, jobs, known);
    const lastSeenMs = dayMs + 23.5 * 3_600_000;
    expect(first?.toMs).toBe(lastSeenMs + 369_450);
    expect(second).toMatchObject({ machineId: "c", warm: true, fromMs: lastSeenMs - 1_200_000 });
  });

  it("the original waits two heartbeats and its poll", async () => {
    const { original } = await replayed(jobs, 1);
    // Beats each 30 s from the claim at -40.4 s: the last 19.85 s before the end; free 40.15 s after it, polled 0.4 s later, claimed in 0.15.
    expect(secondsOf(original)).toMatchObject({ noNode: 0, detection: 40.7, start: 0, lost: 369.45, app: 0 });
  });

  it("ours waits out its lease: what is left of two heartbeats, and no poll", async () => {
    const { ours, bound } = await replayed(jobs, 1);
    const { detection, start, noNode } = secondsOf(ours);
    expect(noNode).toBe(0);
    expect(detection).toBeGreaterThan(44);
    expect(detection).toBeLessThan(60.5);
    expect(start).toBe(0);
    expect(secondsOf(bound)).toMatchObject({ detection: 0, start: 0 });
    const brisk = await replayed(jobs, 1, { ...known, heartbeatIntervalSeconds: 10 });
    expect(secondsOf(brisk.ours).detection).toBeGreaterThan(14);
    expect(secondsOf(brisk.ours).detection).toBeLessThan(20.5);
  });
});

it("SQS takes a job from its node after 12 hours; Kelpie and ours do not", async () => {
  const replay = await replayed(parsed(sqsJob));
  expect(replay.stays).toHaveLength(1);
  // Noticed a minute late, which is lost; 10 s until it asks again, 0.55 s until it works again.
  expect(efficiency(replay.computeMs, 86_470_550)).toBeCloseTo(replay.reproduced, 8);
  for (const account of [replay.original, replay.ours, replay.bound]) {
    expect(account?.wallMs).toBe(24 * 3_600_000);
    expect(account?.interruptions).toBe(0);
  }
});

it("an original that notices later loses what the next node waits, and every second is accounted for", () => {
  const one = job as TracedJob;
  const stays = nodeTimeline(one, [one], known);
  const work = { computeMs: 3_600_000, saveMs: 0 };
  const slow = { ...kelpie, termMs: 900_000 };
  const { ms, wallMs, unexplainedMs } = accountOf(replayPolling(stays, slow, work, known), work.computeMs);
  // The last beat at 1,489.6 s; free at 2,389.6 s, which the worker that is ready at 2,059.45 s sees at its poll of 2,399.45 s.
  expect(ms.detection / 1000).toBeCloseTo(340.15, 6);
  expect(wallMs / 1000).toBeCloseTo(4_500 + 340, 6);
  expect(unexplainedMs).toBeCloseTo(0, 6);
});

it("a checkpoint that is still going up when its node vanishes is lost work, to the original as to ours", async () => {
  const one = job as TracedJob;
  const [first, second] = nodeTimeline(one, [one], known);
  if (!first || !second) throw new Error("the trace has two nodes");
  const work = { computeMs: 3_600_000, saveMs: 0 };
  // The upload of the second checkpoint takes 0.5 s.
  for (const [afterMs, resumedMs] of [
    [300, 600_000],
    [1_500, 1_200_000],
  ] as const) {
    const stays = [{ ...first, toMs: dayMs + 1_200_000 + afterMs }, second];
    expect(replayPolling(stays, kelpie, work, known)[1]?.resumedMs).toBe(resumedMs);
    expect((await replayOnEngine(stays, work, known, 1)).attempts[1]?.resumedMs).toBe(resumedMs);
  }
});

it("a checkpoint written while the last one goes up is dropped by the original", () => {
  const one = job as TracedJob;
  // 100 MB at 1 Mbit/s take 800 s.
  const [first, second] = nodeTimeline(one, [one], known).map((stay) => ({ ...stay, upMbps: 1 }));
  if (!first || !second) throw new Error("the trace has two nodes");
  const stays = [
    { ...first, toMs: dayMs + 2_100_000 },
    { ...second, fromMs: dayMs + 2_200_000 },
  ];
  const large = { ...known, checkpointBytes: 100e6 };
  const work = { computeMs: 3_600_000, saveMs: 0 };
  // The first goes up from 600 to 1,400 s, so the second, of 1,200 s, does not; the third, from 1,800 s, comes too late.
  expect(replayPolling(stays, kelpie, work, large)[1]?.resumedMs).toBe(600_000);
});

it("time spent on saving is the application's, and stops nothing", async () => {
  const one = job as TracedJob;
  const stays = nodeTimeline(one, [one], known);
  const work = { computeMs: 3_600_000, saveMs: 2_000 };
  const bound = accountOf(replayPolling(stays, ideal, work, known), work.computeMs);
  // Two saves on the first node, three on the second: the last step ends the job.
  expect(bound.ms.app).toBe(40_000 + 5 * 2_000);
  const engine = await replayOnEngine(stays, work, known, 1);
  expect(accountOf(engine.attempts, work.computeMs).ms.app).toBe(40_000 + 5 * 2_000);
});

describe("the report", () => {
  const file = async (content: string, use: (path: string) => Promise<void>) => {
    const folder = await mkdtemp(join(tmpdir(), "kelpie-traces-"));
    try {
      const path = join(folder, "traces.json");
      await writeFile(path, content);
      await use(path);
    } finally {
      await rm(folder, { recursive: true });
    }
  };

  it("names each job's recorded and reproduced efficiency, and what hangs on assumptions", async () => {
    await file(JSON.stringify([interrupted]), async (path) => {
      const lines: string[] = [];
      expect(await runTraces(path, (line) => lines.push(line))).toEqual([]);
      const row = lines.find((line) => line.startsWith("kelpie, by hand, interrupted"));
      expect(row).toMatch(/ 1 +80\.00 +80\.00 +[+-]0\.00 +80\.00 +80\.0\d +80\.00 +85\.73$/);
      expect(lines.find((line) => line.startsWith("a node is always waiting"))).toBeDefined();
    });
  });

  it("complains of a reproduction that is off by more than 0.3 points", async () => {
    const replay = await replayed(parsed({ ...interrupted, wall_hours: 1.26 }));
    expect(complaints([replay])).toEqual([
      "kelpie, by hand, interrupted: the reproduction is off by 0.63 points",
    ]);
    expect(complaints([{ ...replay, recorded: 80.29, broken: ["one"] }])).toEqual([
      "kelpie, by hand, interrupted: one",
    ]);
  });

  it("a bad option or file gets a usage line and exit code 2", async () => {
    const tool = fileURLToPath(new URL("../../tools/simulate.ts", import.meta.url));
    const run = (...options: string[]) =>
      promisify(execFile)(process.execPath, ["--no-warnings", tool, ...options]).then(
        () => null,
        (error: { code: number; stderr: string }) => error,
      );
    const nowhere = await run("--traces", "nowhere.json");
    expect(nowhere).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("nowhere.json cannot be read"),
    });
    expect(nowhere?.stderr).toContain("npm run simulate -- --help");
    const both = await run("--traces", "nowhere.json", "--seed", "1");
    expect(both).toMatchObject({ code: 2, stderr: expect.stringContaining("cannot be used with") });
    const unknown = await run("--trace", "x");
    expect(unknown).toMatchObject({ code: 2, stderr: expect.stringContaining("unknown option '--trace'") });
  });
});

describe("a bad file is refused by the field", () => {
  const broken = (change: (one: ReturnType<typeof written>) => void): (() => TracedJob[]) => {
    const one = structuredClone(interrupted);
    change(one);
    return () => parsed(spare, one);
  };
  it.each([
    ["[1].segments[1].begin", broken((one) => Object.assign(one.segments[1] ?? {}, { begin: "yesterday" }))],
    [
      "[1].segments[0].last_seen",
      broken((one) => Reflect.deleteProperty(one.segments[0] ?? {}, "last_seen")),
    ],
    ["[1].segments[0].up_mbps", broken((one) => Object.assign(one.segments[0] ?? {}, { up_mbps: 0 }))],
    ["[1].segments", broken((one) => Object.assign(one, { segments: [] }))],
    ["[1].segments[1].begin", broken((one) => one.segments.reverse())],
    [
      "[1].segments[0].last_seen",
      broken((one) => Object.assign(one.segments[0] ?? {}, { last_seen: "2024-11-01T23:00:00" })),
    ],
    ["[1].wall_hours", broken((one) => Object.assign(one, { wall_hours: 0.9 }))],
    ["[1].compute_hours", broken((one) => Object.assign(one, { compute_hours: "1" }))],
    ["the file", () => parseTraces('{"jobs": []}')],
    ["the file", () => parseTraces("[]")],
    ["is no JSON", () => parseTraces("[")],
  ])("%s", (field, parse) => {
    expect(parse).toThrow(BadTraceFile);
    expect(parse).toThrow(field);
  });
});

it(
  "the recorded jobs, where the file is: each within 0.3 points, no invariant broken",
  async () => {
    // The recordings are not ours to publish, so they lie beside the repository, where they do.
    const path = join(projectRoot, "..", "shared", "data", "salad-churn-traces.json");
    if (!existsSync(path)) return;
    const jobs = readTraces(path);
    for (const [i, one] of jobs.entries()) {
      const replay = await replayJob(one, jobs, { known: assumptions, withOurs: true }, i + 1);
      expect(complaints([replay])).toEqual([]);
      const { ours, bound, continuousWallMs } = replay;
      // Nothing beats the bound but for the work that a later start saves from being lost.
      expect(ours?.wallMs).toBeGreaterThan(bound.wallMs - 1_000);
      expect(bound.wallMs).toBeGreaterThanOrEqual(continuousWallMs);
    }
  },
  recordedJobsTimeoutMs,
);
