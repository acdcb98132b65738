/** Vitest's results as a table of promises: kept, broken, not run and why. */
import type { Reporter, TestCase, TestModule } from "vitest/node";

export interface PromiseResult {
  /** Section of the contract, and what it says. */
  name: string;
  verdict: "kept" | "broken" | "not run";
  /** Of broken promises the checks that failed; of others those that were not run, with the reason. */
  details: string[];
}

export default class PromiseReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]): void {
    const results = modules.flatMap(judge).sort((a, b) => compareNames(a.name, b.name));
    console.log(`\n${table(results)}`);
    for (const error of errors) console.log(`outside of every check: ${messageOf(error)}`);
  }
}

function judge(module: TestModule): PromiseResult[] {
  const loadErrors = module.errors().map(messageOf);
  const suites = [...module.children.suites()];
  if (suites.length === 0) {
    return [{ name: module.relativeModuleId, verdict: "broken", details: loadErrors }];
  }
  return suites.map((suite) => {
    const errors = [...loadErrors, ...suite.errors().map(messageOf)];
    return judgePromise(suite.name, [...suite.children.allTests()].map(outcomeOf), errors);
  });
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

function outcomeOf(test: TestCase): Outcome {
  const result = test.result();
  const why =
    result.state === "skipped" ? (result.note ?? "") : (result.errors ?? []).map(messageOf).join("; ");
  return { name: test.name, state: result.state, why };
}

const messageOf = (error: unknown) =>
  (((error as { message?: string }).message ?? String(error)).split("\n")[0] as string).slice(0, 300);

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
