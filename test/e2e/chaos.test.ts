/** A short storm with one fault of each kind, on real processes. `npm run chaos` makes longer ones, and draws them. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { drawAgentKilled } from "../../tools/chaos/faults/agent-killed.ts";
import { apiKilledFor } from "../../tools/chaos/faults/api-killed.ts";
import type { Blow } from "../../tools/chaos/faults/blow.ts";
import { cutFor } from "../../tools/chaos/faults/cut.ts";
import { frozenFor } from "../../tools/chaos/faults/frozen.ts";
import { brokenPromises } from "../../tools/chaos/judge/judge.ts";
import { FaultKind } from "../../tools/chaos/logs/fault-log.ts";
import { leaseSeconds } from "../../tools/chaos/settings.ts";
import { ChaosStage } from "../../tools/chaos/stage.ts";
import type { Screen } from "../../tools/screen.ts";
import { Random } from "../simulation/world/random.ts";

/** Long enough for the lease to lapse and for another node to take the job. */
const zombieMs = (leaseSeconds + 8) * 1000;

// The API first: one that comes back late doubts every expiry, and whoever stood still would find its lease waiting.
const plan: Blow[] = [
  { afterMs: 3_000, faults: [apiKilledFor(500)] },
  { afterMs: 8_000, faults: [frozenFor(zombieMs)] },
  { afterMs: 1_000, faults: [cutFor("silent", zombieMs)] },
  { afterMs: 1_000, faults: [drawAgentKilled(new Random(1))] },
];

/** What it would tell goes into the message of a failure. */
const told: string[] = [];
const openScreen = (): Screen => ({
  event: (text) => void told.push(text),
  note: () => undefined,
  show: () => undefined,
  close: () => undefined,
});

let directory: string;
let stage: ChaosStage;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "kelpie-chaos-test-"));
  const options = { seed: 1, stormMs: 120_000, nodes: 4, jobsPerNode: 1, plan: plan.values(), openScreen };
  stage = new ChaosStage(options, directory, new AbortController().signal);
});
afterAll(async () => {
  await stage.clear();
  rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
});

it("the API is killed, a node is killed, another wakes up as a zombie, a third cannot be heard; no promise is broken", async () => {
  const said = () => `${told.join("\n")}\n${stage.tails()}`;
  const verdict = await stage.run().catch((error) => {
    throw new Error(`${error}\n${said()}`);
  });
  const broken = brokenPromises(verdict);
  expect(broken, broken.length > 0 ? said() : "").toEqual([]);
  expect(verdict.completed).toBe(verdict.jobs);
  expect(verdict.completed).toBeGreaterThan(0);
  for (const kind of FaultKind.options) expect(verdict.recoveries.get(kind)?.injected, kind).toBe(1);
  // Which of the faults costs a job its node is up to the moment; that none does would be a storm in a teacup.
  const ofNodes = (["agent killed", "frozen", "cut"] as const).map((kind) => verdict.recoveries.get(kind));
  expect(ofNodes.flatMap((recovery) => recovery?.recoveredMs ?? [])).not.toEqual([]);
}, 300_000);
