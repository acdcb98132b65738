/** One burst in the lab: the real API scales real agents up and back to nothing. `npm run lab` plays longer ones. */
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { LabStage } from "../../tools/lab/stage.ts";
import { isAlive } from "../../tools/processes/tree.ts";
import type { Screen } from "../../tools/screen.ts";

/** What it would tell goes into the message of a failure. */
const told: string[] = [];
const openScreen = (): Screen => ({
  event: (text) => void told.push(text),
  note: (text) => void told.push(text),
  show: () => undefined,
  close: () => undefined,
});

let directory: string;
/** Where whatever the lab starts has its temporary files, unless told otherwise. */
let temporary: string;
let stage: LabStage;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "kelpie-lab-test-"));
  temporary = mkdtempSync(join(tmpdir(), "kelpie-lab-tmp-"));
  vi.stubEnv("TMPDIR", temporary);
  const options = { seed: 4, durationMs: 1, nodes: 2, bursts: 1, openScreen };
  stage = new LabStage(options, directory, new AbortController().signal);
});
afterAll(async () => {
  await stage.clear();
  vi.unstubAllEnvs();
  for (const path of [directory, temporary]) rmSync(path, { recursive: true, force: true, maxRetries: 5 });
});

it("jobs come, instances come up, everything is done, and nothing is left", async () => {
  const said = () => `${told.join("\n")}\n${stage.tails()}`;
  const verdict = await stage.run().catch((error) => {
    throw new Error(`${error}\n${said()}`);
  });
  expect(verdict.problems, verdict.problems.length > 0 ? said() : "").toEqual([]);
  expect(verdict.lines.join("\n")).toMatch(/jobs completed +4 of 4/);
  expect(verdict.lines.join("\n")).toMatch(/taken by scale-in +[1-9]\d*, 0 of them with a lease/);
  // Of the seed: that no step was faster than its machine is the verdict's to say.
  expect(verdict.lines.join("\n")).toMatch(/machines' speeds +0\.\d\d to 0\.\d\d, of [2-9] machines/);
  expect(told.join("\n")).toMatch(/runs \(speed 0\.\d\d, (39|281|734)↑ (150|659|868)↓ kbit\/s\)/);
  // Each agent's calls and checkpoints go over its own line.
  expect(verdict.lines.join("\n")).toMatch(/over their lines +[1-9]\d* kB up, [1-9]\d* kB down/);
  await stage.clear();
  expect(stage.pids.length).toBeGreaterThan(2);
  expect(stage.pids.filter(isAlive)).toEqual([]);
  // Agents that were killed have left theirs in the lab's own directory, which goes with it.
  expect(readdirSync(temporary)).toEqual([]);
}, 300_000);
