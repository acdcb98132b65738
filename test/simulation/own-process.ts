/** Runs a mutant in a process of its own, since a module that is loaded stays loaded. */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll } from "vitest";

/** What an entry prints, as one line of JSON. Null: no invariant was broken. */
export interface MutationResult {
  mutant: string;
  seed: number | null;
  invariant: string | null;
  said: string;
}

const run = promisify(execFile);
/** A mutant that spins without end is as good as caught, but should not be in the list. A busy machine takes ten times an idle one's. */
export const timeoutMs = 300_000;

/** `entry`: is given the mutant's name. */
export function mutator(entry: URL): (name: string) => Promise<MutationResult> {
  /** A hundred processes load the same modules, but for one: compiled once, they start in a third of the time. */
  const compiled = mkdtempSync(join(tmpdir(), "kelpie-mutants-"));
  afterAll(() => rmSync(compiled, { recursive: true, force: true }));
  const env = { ...process.env, NODE_COMPILE_CACHE: compiled };
  return async (name) => {
    // A mutant's warnings about itself are of no interest.
    const args = ["--no-warnings", fileURLToPath(entry), name];
    const { stdout } = await run(process.execPath, args, { timeout: timeoutMs, env });
    return JSON.parse(stdout) as MutationResult;
  };
}
