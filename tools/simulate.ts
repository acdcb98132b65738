/**
 * `npm run simulate -- --seed N --hours H`: so many node-hours of simulated misfortune, judged.
 * `npm run simulate -- --scaling [--seed N] [--churn FILE]`: a day of the autoscaler in virtual time (docs/lab.md).
 * `npm run simulate -- --traces FILE`: recorded jobs on their recorded nodes (docs/traces.md).
 */
import { parseArgs } from "node:util";
import { printReport, printViolation } from "../test/simulation/report.ts";
import { runDay } from "../test/simulation/scaling/run.ts";
import { type ScenarioName, scenarios } from "../test/simulation/scenario.ts";
import { simulate } from "../test/simulation/simulate.ts";
import { runTraces } from "../test/simulation/traces/run.ts";
import { BadTraceFile } from "../test/simulation/traces/trace-file.ts";

const usage = `usage: npm run simulate -- [--seed N] [--hours H] [--scenario NAME] [--verbose]
       npm run simulate -- --scaling [--seed N] [--churn FILE] [--verbose]
       npm run simulate -- --traces FILE`;

class BadOption extends Error {}

function options() {
  const options = {
    seed: { type: "string" },
    hours: { type: "string" },
    scenario: { type: "string" },
    verbose: { type: "boolean" },
    traces: { type: "string" },
    scaling: { type: "boolean" },
    churn: { type: "string" },
  } as const;
  try {
    return parseArgs({ options }).values;
  } catch (error) {
    throw new BadOption(error instanceof Error ? error.message : String(error));
  }
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value < 0) throw new BadOption(`--${name} wants a number, not "${text}"`);
  return value;
}

type Values = ReturnType<typeof options>;

async function simulateScaling({ seed, churn, verbose, ...others }: Values): Promise<boolean> {
  if (others.hours !== undefined || others.scenario !== undefined)
    throw new BadOption("--scaling goes with --seed, --churn and --verbose alone");
  const complaints = await runDay({ seed: positive("seed", seed ?? "1"), traces: churn, verbose }, (line) =>
    console.log(line),
  );
  for (const complaint of complaints) console.error(complaint);
  return complaints.length === 0;
}

async function simulateMisfortune(values: Values): Promise<boolean> {
  const { scenario } = values;
  if (values.churn !== undefined) throw new BadOption("--churn goes with --scaling");
  if (scenario !== undefined && !(scenario in scenarios)) {
    throw new BadOption(`--scenario is one of ${Object.keys(scenarios).join(", ")}`);
  }
  const startedMs = performance.now();
  const report = await simulate({
    seed: positive("seed", values.seed ?? "1"),
    hours: positive("hours", values.hours ?? "1000"),
    scenario: scenario as ScenarioName | undefined,
    tell: values.verbose ? (line) => console.log(line) : undefined,
  });
  printReport(report, (performance.now() - startedMs) / 1000);
  if (report.violation) printViolation(report);
  else console.log("\nNo invariant was broken.");
  return report.violation === null;
}

async function replayTraces(path: string, others: unknown[]): Promise<boolean> {
  if (others.some((value) => value !== undefined)) throw new BadOption("--traces goes with no other option");
  const complaints = await runTraces(path, (line) => console.log(line));
  for (const complaint of complaints) console.error(complaint);
  return complaints.length === 0;
}

try {
  const values = options();
  const { traces, ...others } = values;
  const run = values.scaling ? simulateScaling : simulateMisfortune;
  const well = traces === undefined ? await run(values) : await replayTraces(traces, Object.values(others));
  if (!well) process.exitCode = 1;
} catch (error) {
  if (!(error instanceof BadOption || error instanceof BadTraceFile)) throw error;
  console.error(`${error.message}\n${usage}`);
  process.exitCode = 2;
}
