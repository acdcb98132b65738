/**
 * One mutant, run until an invariant breaks: `node mutation.ts <name> [seed …]`. A process of its own, since a
 * module that is loaded stays loaded. Prints one line of JSON.
 */
import { install } from "./edits.ts";
import { type Mutant, mutants } from "./mutants.ts";
import type { MutationResult } from "./own-process.ts";
import type { ScenarioName } from "./scenario.ts";

/** Seeds, and how long each may take to show it. */
const mutantSeeds = [3, 5, 6, 9, 13, 14, 17, 21];
const mutantHours = 12;
/** Checkpoint upon checkpoint costs more, and shows things sooner. */
const snapshotSeeds = [...mutantSeeds.slice(0, 5), 18, 22, 24, 25];
const snapshotHours = 6;

async function run(
  mutant: Mutant | undefined,
  scenario: ScenarioName,
  seeds: number[],
): Promise<MutationResult> {
  if (mutant) install(mutant);
  // Only now: what is imported from here on is mutated.
  const { simulate } = await import("./simulate.ts");
  const name = mutant?.name ?? "";
  for (const seed of seeds) {
    const { violation } = await simulate({
      seed,
      hours: scenario === "snapshots" ? snapshotHours : mutantHours,
      scenario,
    });
    if (violation) return { mutant: name, seed, invariant: violation.invariant, said: violation.said };
  }
  return { mutant: name, seed: null, invariant: null, said: "" };
}

/** Without a mutant: the seeds themselves, in the scenarios that mutants run in. */
export const unchanged = new Map<string, ScenarioName>([
  ["none", "hostile"],
  ["none-closed-page", "closed-page"],
  ["none-forgetful", "forgetful"],
  ["none-pauses", "pauses"],
  ["none-snapshots", "snapshots"],
]);

if (import.meta.main) {
  const [name = "", ...given] = process.argv.slice(2);
  const mutant = mutants.find((one) => one.name === name);
  const scenario = mutant ? (mutant.scenario ?? "hostile") : unchanged.get(name);
  if (!scenario) throw new Error(`no mutant "${name}"`);
  const usual = scenario === "snapshots" ? snapshotSeeds : mutantSeeds;
  const seeds = given.length > 0 ? given.map(Number) : usual;
  console.log(JSON.stringify(await run(mutant, scenario, seeds)));
}
