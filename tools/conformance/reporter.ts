/** Vitest's results as a table of promises: kept, broken, not run and why. */
import type { Reporter, TestCase, TestModule } from "vitest/node";
import { compareNames, judgePromise, type Outcome, type PromiseResult, table } from "./promise-table.ts";

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

function outcomeOf(test: TestCase): Outcome {
  const result = test.result();
  const why =
    result.state === "skipped" ? (result.note ?? "") : (result.errors ?? []).map(messageOf).join("; ");
  return { name: test.name, state: result.state, why };
}

const messageOf = (error: unknown) =>
  (((error as { message?: string }).message ?? String(error)).split("\n")[0] as string).slice(0, 300);
