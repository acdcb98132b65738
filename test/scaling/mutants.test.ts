/** Every mutant must break the invariant that it names; the autoscaler as it is breaks none in the same histories. */
import { describe, expect, it } from "vitest";
import { editsOf, mutated, sourceOf } from "../simulation/edits.ts";
import { mutator, timeoutMs } from "../simulation/own-process.ts";
import { mutants } from "./mutants.ts";
import { unchanged } from "./mutation.ts";

const mutate = mutator(new URL("./mutation.ts", import.meta.url));

it("every mutant's text is in its file, once", () => {
  expect(new Set(mutants.map(({ name }) => name)).size).toBe(mutants.length);
  for (const edit of mutants.flatMap(editsOf)) {
    const source = sourceOf(edit);
    expect(mutated(source, edit)).not.toBe(source);
  }
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
