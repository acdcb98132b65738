/** Every mutant must break an invariant, and is told by which; the unchanged protocol breaks none on the same seeds. */
import { describe, expect, it } from "vitest";
import { editsOf, mutated, sourceOf } from "./edits.ts";
import { mutants } from "./mutants.ts";
import { unchanged } from "./mutation.ts";
import { mutator, timeoutMs } from "./own-process.ts";

const mutate = mutator(new URL("./mutation.ts", import.meta.url));

it("every rule of the protocol has its mutants", () => {
  const rules = new Set(mutants.map(({ rule }) => rule));
  expect(rules).toEqual(
    new Set([
      1,
      2,
      3,
      4,
      5,
      6,
      7,
      8,
      9,
      10,
      11,
      "Bad machines",
      "Pause",
      "Grants",
      "Commit",
      "Retention",
      "Resume",
      "Outbox",
    ]),
  );
  expect(new Set(mutants.map(({ name }) => name)).size).toBe(mutants.length);
});

it("every mutant's text is in its file, once", () => {
  for (const edit of mutants.flatMap(editsOf)) {
    const source = sourceOf(edit);
    expect(mutated(source, edit)).not.toBe(source);
  }
});

describe.concurrent("on the mutants' seeds", { timeout: timeoutMs + 10_000 }, () => {
  it.each([...unchanged.keys()])("the protocol as it is breaks nothing: %s", async (name) => {
    expect(await mutate(name)).toMatchObject({ invariant: null });
  });

  it.each(mutants)("rule $rule: $name", async ({ name }) => {
    const { invariant, seed } = await mutate(name);
    expect(invariant, `"${name}" survived`).not.toBeNull();
    console.log(`${name}: seed ${seed}, ${invariant}`);
  });
});
