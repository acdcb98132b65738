/** Every mutant must break the invariant that it names; the autoscaler as it is breaks none in the same histories. */
import { describe, expect, it } from "vitest";
import { editsOf, mutated, sourceOf } from "../simulation/edits.ts";
import { mutator, timeoutMs } from "../simulation/own-process.ts";
import { mutants } from "./mutants.ts";
import { actions, unchanged } from "./mutation.ts";
import { runHistory } from "./random-history.ts";

const mutate = mutator(new URL("./mutation.ts", import.meta.url));

it("every mutant's text is in its file, once", () => {
  expect(new Set(mutants.map(({ name }) => name)).size).toBe(mutants.length);
  for (const edit of mutants.flatMap(editsOf)) {
    const source = sourceOf(edit);
    expect(mutated(source, edit)).not.toBe(source);
  }
});

it("every invariant that is checked has a mutant that breaks it", async () => {
  const checked = new Set<string>();
  for (let seed = 1; seed <= 20; seed++)
    for (const invariant of (await runHistory(seed, actions)).checks.keys()) checked.add(invariant);
  // That one is counted only when it breaks.
  expect(new Set(mutants.map(({ invariant }) => invariant))).toEqual(checked.add("all comes to rest"));
});

describe.concurrent("in the mutants' histories", { timeout: timeoutMs + 10_000 }, () => {
  it("the autoscaler as it is breaks nothing", async () => {
    expect(await mutate(unchanged)).toMatchObject({ invariant: null });
  });

  it.each(mutants)("$name: $invariant", async ({ name, invariant }) => {
    const broken = await mutate(name);
    expect(broken, `"${name}" survived`).toMatchObject({ invariant });
    console.log(`${name}: seed ${broken.seed}, ${invariant}`);
  });
});
