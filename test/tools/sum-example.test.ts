import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { projectRoot } from "../../tools/project.ts";
import { parseSumLog } from "../../tools/sum-log.ts";

const examples = join(projectRoot, "examples/sum");
const languages = [
  { name: "Node", command: process.execPath, script: join(examples, "sum.mjs"), present: true },
  {
    name: "Python",
    command: "python3",
    script: join(examples, "sum.py"),
    present: spawnSync("python3", ["--version"]).status === 0,
  },
];

let workdir: string;
beforeEach(() => {
  workdir = mkdtempSync(join(tmpdir(), "kelpie-sum-"));
});
afterEach(() => rmSync(workdir, { recursive: true, force: true }));

describe.each(languages)("examples/sum in $name", ({ command, script, present }) => {
  const start = (env: Record<string, string>) =>
    spawn(command, [script], {
      cwd: workdir,
      env: { PATH: process.env.PATH, SUM_LOG: join(workdir, "log.jsonl"), STEP_SECONDS: "0", ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
  const run = async (env: Record<string, string>) => (await once(start(env), "exit"))[0] as number;
  const events = () => parseSumLog(readFileSync(join(workdir, "log.jsonl"), "utf8")).events;
  const checkpoints = () => readdirSync(join(workdir, "checkpoints")).sort();
  const output = () => JSON.parse(readFileSync(join(workdir, "output/sum.json"), "utf8"));

  it.skipIf(!present)("adds up, with one whole checkpoint per step and nothing else beside", async () => {
    expect(await run({ N: "5", KELPIE_JOB_ID: "job-1", SALAD_MACHINE_ID: "machine-1" })).toBe(0);
    expect(output()).toEqual({ n: 5, sum: 15 });
    expect(checkpoints()).toEqual([1, 2, 3, 4, 5].map((step) => `step-00000${step}.json`));
    expect(events().map(({ event, step, sum }) => [event, step, sum])).toEqual([
      ["start", 0, 0],
      ["step", 1, 1],
      ["step", 2, 3],
      ["step", 3, 6],
      ["step", 4, 10],
      ["step", 5, 15],
      ["done", 5, 15],
    ]);
    expect(events()[1]).toMatchObject({ job: "job-1", machine: "machine-1", pid: expect.any(Number) });
  });

  it.skipIf(!present)("passes over a torn newest checkpoint and goes on from the one before", async () => {
    await run({ N: "3" });
    writeFileSync(join(workdir, "checkpoints/step-000004.json"), '{"step": 4, "su');
    expect(await run({ N: "6" })).toBe(0);
    expect(output()).toEqual({ n: 6, sum: 21 });
    expect(events().filter(({ event }) => event === "resume")).toMatchObject([{ step: 3, sum: 6 }]);
  });

  it.skipIf(!present)("on SIGTERM finishes the step at hand and leaves with 143", async () => {
    const child = start({ N: "100", STEP_SECONDS: "0.1" });
    while (!existsSync(join(workdir, "checkpoints/step-000002.json"))) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    child.kill("SIGTERM");
    const [code] = await once(child, "exit");
    expect(code).toBe(143);
    const last = events().at(-1);
    expect(last?.event).toBe("stop");
    expect(checkpoints().at(-1)).toBe(`step-${String(last?.step).padStart(6, "0")}.json`);
    expect(existsSync(join(workdir, "output/sum.json"))).toBe(false);
  });

  it.skipIf(!present)("takes its time on a slow node", async () => {
    expect(await run({ N: "2", STEP_SECONDS: "0.02", SUM_SPEED: "0.1" })).toBe(0);
    for (const { ms } of events().filter(({ event }) => event === "step")) {
      // A timer may be early by one.
      expect(ms).toBeGreaterThanOrEqual(199);
    }
    expect(await run({ N: "2", SUM_SPEED: "0" })).toBe(2);
    expect(await run({ N: "2", SUM_SPEED: "fast" })).toBe(2);
  });

  it.skipIf(!present)("refuses to start without a usable N", async () => {
    expect(await run({})).toBe(2);
    expect(await run({ N: "many" })).toBe(2);
  });
});

it.skipIf(!languages.every(({ present }) => present))("each goes on where the other stopped", async () => {
  const run = (index: number, steps: number) =>
    spawnSync(languages[index]?.command ?? "", [languages[index]?.script ?? ""], {
      cwd: workdir,
      env: { PATH: process.env.PATH, N: String(steps), STEP_SECONDS: "0" },
      encoding: "utf8",
    }).stdout;
  run(0, 3);
  expect(run(1, 6)).toContain("going on after step 3 of 6");
  expect(run(0, 9)).toContain("going on after step 6 of 9");
});
