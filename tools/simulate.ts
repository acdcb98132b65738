/** `npm run simulate -- --seed N --hours H`: so many node-hours of simulated misfortune, judged. */
import { parseArgs } from "node:util";
import { printReport, printViolation } from "../test/simulation/report.ts";
import { type ScenarioName, scenarios } from "../test/simulation/scenario.ts";
import { simulate } from "../test/simulation/simulate.ts";

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: "1" },
    hours: { type: "string", default: "1000" },
    scenario: { type: "string" },
    verbose: { type: "boolean", default: false },
  },
});

function positive(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value < 0) throw new Error(`--${name} wants a number, not "${text}"`);
  return value;
}

if (values.scenario !== undefined && !(values.scenario in scenarios)) {
  throw new Error(`--scenario is one of ${Object.keys(scenarios).join(", ")}`);
}
const startedMs = performance.now();
const report = await simulate({
  seed: positive("seed", values.seed),
  hours: positive("hours", values.hours),
  scenario: values.scenario as ScenarioName | undefined,
  tell: values.verbose ? (line) => console.log(line) : undefined,
});
printReport(report, (performance.now() - startedMs) / 1000);
if (report.violation) {
  printViolation(report);
  process.exitCode = 1;
}
