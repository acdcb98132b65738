/**
 * `npm run lab -- [--minutes M] [--seed N] [--nodes K]`: the real API and real agents on a simulated SaladCloud that brings instances up, takes them
 * away and loses them; bursts of jobs, and nothing in between (docs/lab.md). Exit code 0 only if all is right at the end.
 * The same seed draws the same delays, lives and jobs; what comes of them is up to real processes.
 */
import { parseArgs } from "node:util";
import { runToTheEnd } from "../processes/run-to-the-end.ts";
import { LabStage } from "./stage.ts";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "3" },
    seed: { type: "string", default: String(Date.now() % 100_000) },
    nodes: { type: "string", default: "4" },
  },
});

function positive(name: string, text: string, most: number): number {
  const value = Number(text);
  if (Number.isFinite(value) && value > 0 && value <= most) return value;
  console.error(`--${name} wants a number above 0, at most ${most}, not "${text}"`);
  process.exit(2);
}

const options = {
  seed: Math.floor(positive("seed", values.seed, 2 ** 31)),
  durationMs: positive("minutes", values.minutes, 600) * 60_000,
  nodes: Math.ceil(positive("nodes", values.nodes, 50)),
};
await runToTheEnd("lab", (directory, interrupted) => new LabStage(options, directory, interrupted));
