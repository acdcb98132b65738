/**
 * `npm run chaos -- --minutes M [--seed N]`: the API killed, agents killed, frozen and cut off, all of it for real, and a judge
 * who trusts nobody. Exit code 0 only if every promise was kept. The same seed draws the same faults and jobs; what they
 * meet is up to real processes and never the same twice.
 *
 * Where this ends: one machine, so one clock; the local storage dies with the API; a power cut of the API's machine is not
 * played, only the death of its processes.
 *
 * `npm run chaos -- --soak JOBS`: no faults; whether the agent stays small and idle (soak/soak.ts).
 */
import { parseArgs } from "node:util";
import { runToTheEnd } from "../processes/run-to-the-end.ts";
import { soak } from "./soak/soak.ts";
import { ChaosStage } from "./stage.ts";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "3" },
    seed: { type: "string", default: String(Date.now() % 100_000) },
    soak: { type: "string" },
  },
});

function positive(name: string, text: string): number {
  const value = Number(text);
  if (Number.isFinite(value) && value > 0) return value;
  console.error(`--${name} wants a number above 0, not "${text}"`);
  process.exit(2);
}

if (values.soak !== undefined) await soak(Math.floor(positive("soak", values.soak)));

const options = {
  seed: Math.floor(positive("seed", values.seed)),
  stormMs: positive("minutes", values.minutes) * 60_000,
};
await runToTheEnd("chaos", (directory, interrupted) => new ChaosStage(options, directory, interrupted));
