/**
 * One mutant, in random histories until its invariant breaks: `node mutation.ts <name>`. A process of its own, since a module that
 * is loaded stays loaded. Prints one line of JSON.
 */
import { install } from "../simulation/edits.ts";
import type { MutationResult } from "../simulation/own-process.ts";
import { type Mutant, mutants } from "./mutants.ts";

/** As test/scaling/random.test.ts draws them: SCALING_SEED repeats one there. */
export const actions = 60;
/** Which ones show a mutant changes with the code. */
const histories = 150;

/** All of them, from the one that has shown it. */
const seedsFrom = (first: number) =>
  Array.from({ length: histories }, (_, at) => ((first - 1 + at) % histories) + 1);

/** Null: the code as it is, of which no invariant may break. */
async function run(mutant: Mutant | null): Promise<MutationResult> {
  if (mutant) install(mutant);
  // Only now: what is imported from here on is mutated.
  const { runHistory } = await import("./random-history.ts");
  const name = mutant?.name ?? unchanged;
  for (const seed of seedsFrom(mutant?.seed ?? 1)) {
    const { violation } = await runHistory(seed, actions);
    if (violation === null) continue;
    const { invariant, said } = violation;
    if (mutant === null || mutant.invariant === invariant) return { mutant: name, seed, invariant, said };
  }
  return { mutant: name, seed: null, invariant: null, said: "" };
}

/** In a mutant's place. */
export const unchanged = "none";

if (import.meta.main) {
  const [name] = process.argv.slice(2);
  const mutant = mutants.find((one) => one.name === name);
  if (!mutant && name !== unchanged) throw new Error(`no mutant "${name}"`);
  console.log(JSON.stringify(await run(mutant ?? null)));
}
