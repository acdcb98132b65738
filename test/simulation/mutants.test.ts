/** Every mutant must break an invariant, and is told by which; the unchanged protocol breaks none on the same seeds. */
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, describe, expect, it } from "vitest";
import { mutants } from "./mutants.ts";
import { editsOf, type MutationResult, mutated, unchanged } from "./mutation.ts";

const run = promisify(execFile);
const entry = fileURLToPath(new URL("./mutation.ts", import.meta.url));
/** A mutant that spins without end is as good as caught, but should not be in the list. A busy machine takes ten times an idle one's. */
const timeoutMs = 300_000;

/** A hundred processes load the same modules, but for one: compiled once, they start in a third of the time. */
const compiled = mkdtempSync(join(tmpdir(), "kelpie-mutants-"));
afterAll(() => rmSync(compiled, { recursive: true, force: true }));
const env = { ...process.env, NODE_COMPILE_CACHE: compiled };

async function mutate(name: string): Promise<MutationResult> {
  // A mutant's warnings about itself are of no interest.
  const { stdout } = await run(process.execPath, ["--no-warnings", entry, name], { timeout: timeoutMs, env });
  return JSON.parse(stdout) as MutationResult;
}

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
    const source = readFileSync(new URL(`../../${edit.file}`, import.meta.url), "utf8");
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
