/**
 * One mutant, run until an invariant breaks: `node mutation.ts <name> [seed …]`. A process of its own, since a
 * module that is loaded stays loaded. Prints one line of JSON.
 */
import { readFileSync } from "node:fs";
import { registerHooks } from "node:module";
import { fileURLToPath } from "node:url";
import { type Edit, type Mutant, mutants } from "./mutants.ts";
import type { ScenarioName } from "./scenario.ts";

export interface MutationResult {
  mutant: string;
  seed: number | null;
  invariant: string | null;
  said: string;
}

const projectUrl = new URL("../../", import.meta.url);
/** Seeds, and how long each may take to show it. */
const mutantSeeds = [3, 5, 6, 9, 13, 14, 17, 21];
const mutantHours = 12;
/** Checkpoint upon checkpoint costs more, and shows things sooner. */
const snapshotSeeds = [...mutantSeeds.slice(0, 5), 18, 22, 24, 25];
const snapshotHours = 6;

/** The source with the mutant's rule taken out. */
export function mutated(source: string, edit: Edit): string {
  const parts = source.split(edit.find);
  if (parts.length !== 2) {
    throw new Error(`found ${parts.length - 1} times in ${edit.file}, not once: ${edit.find}`);
  }
  return parts.join(edit.replace);
}

export const editsOf = (mutant: Mutant): Edit[] => (mutant.and ? [mutant, mutant.and] : [mutant]);

function install(mutant: Mutant): void {
  const edits = Map.groupBy(editsOf(mutant), (edit) => new URL(edit.file, projectUrl).href);
  registerHooks({
    load(url, context, nextLoad) {
      const ofFile = edits.get(url);
      if (!ofFile) return nextLoad(url, context);
      const source = ofFile.reduce(mutated, readFileSync(fileURLToPath(url), "utf8"));
      return { format: "module-typescript", source, shortCircuit: true };
    },
  });
}

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
