/** Verdicts on promises, and how they are shown. */

export interface PromiseResult {
  /** Section of the contract, and what it says. */
  name: string;
  verdict: "kept" | "broken" | "not run";
  /** Of broken promises the checks that failed; of others those that were not run, with the reason. */
  details: string[];
}

export interface Outcome {
  name: string;
  state: "passed" | "failed" | "skipped" | "pending";
  /** Of a failed check its error, of a skipped one why. */
  why: string;
}

/** Kept only if no check failed and one was run. */
export function judgePromise(name: string, outcomes: Outcome[], errors: string[]): PromiseResult {
  const failed = outcomes.filter(({ state }) => state === "failed");
  if (failed.length > 0 || errors.length > 0) {
    return {
      name,
      verdict: "broken",
      details: [...failed.map(({ name, why }) => `${name}: ${why}`), ...errors],
    };
  }
  const passed = outcomes.some(({ state }) => state === "passed");
  const left = outcomes.filter(({ state }) => state !== "passed");
  if (!passed) return { name, verdict: "not run", details: [...new Set(left.map(({ why }) => why))] };
  return { name, verdict: "kept", details: left.map(({ name, why }) => `not run: ${name}: ${why}`) };
}

const marks = { kept: "✓ kept   ", broken: "✗ broken ", "not run": "· not run" };

export function table(results: PromiseResult[]): string {
  const count = (verdict: PromiseResult["verdict"]) =>
    results.filter((one) => one.verdict === verdict).length;
  const lines = results.flatMap(({ name, verdict, details }) => [
    `${marks[verdict]}  ${name}`,
    ...details.map((detail) => `             ${detail}`),
  ]);
  const sums = `${count("kept")} kept, ${count("broken")} broken, ${count("not run")} not run`;
  return [...lines, "", `${results.length} promises: ${sums}`].join("\n");
}

/** Sections as numbers: 7.2 before 7.10. */
export function compareNames(a: string, b: string): number {
  return a.localeCompare(b, "en", { numeric: true });
}
