/**
 * `npm run simulate -- --seed N --hours H`: so many node-hours of simulated misfortune, judged.
 * `npm run simulate -- --scaling [--seed N] [--churn FILE] [--scale-down-cooldown SECONDS]`: a day of the autoscaler in virtual time (docs/lab.md).
 * `npm run simulate -- --traces FILE`: recorded jobs on their recorded nodes (docs/traces.md).
 */
import { type Command, Option } from "commander";
import { limits } from "../src/contract/limits.ts";
import { printReport, printViolation } from "../test/simulation/report.ts";
import { day } from "../test/simulation/scaling/day-plan.ts";
import { runDay } from "../test/simulation/scaling/run.ts";
import { type ScenarioName, scenarios } from "../test/simulation/scenario.ts";
import { simulate } from "../test/simulation/simulate.ts";
import { runTraces } from "../test/simulation/traces/run.ts";
import { BadTraceFile } from "../test/simulation/traces/trace-file.ts";
import { commandLine, positive, whole } from "./command-line.ts";

interface Given {
  seed: number;
  hours: number;
  scenario?: ScenarioName;
  scaling?: boolean;
  churn?: string;
  scaleDownCooldown?: number;
  traces?: string;
  verbose?: boolean;
}

const command = commandLine("simulate", "The shipped API and agents in virtual time, judged")
  .option("--seed <N>", "what draws everything", whole(), 1)
  .option("--hours <H>", "so many node-hours of misfortune", positive(), 1000)
  .addOption(new Option("--scenario <NAME>", "of one kind alone").choices(Object.keys(scenarios)))
  .addOption(
    new Option("--scaling", "instead: a day of the autoscaler").conflicts(["hours", "scenario", "traces"]),
  )
  .option("--churn <FILE>", "with --scaling: machines come and go as recorded in FILE")
  .option(
    "--scale-down-cooldown <SECONDS>",
    `with --scaling: of the rule (default: ${day.rule.scaleDownCooldown})`,
    whole(0, limits.cooldownSeconds),
  )
  .addOption(
    new Option("--traces <FILE>", "instead: recorded jobs on their recorded nodes").conflicts([
      "seed",
      "hours",
      "scenario",
      "churn",
      "scaleDownCooldown",
      "verbose",
    ]),
  )
  .option("--verbose", "tells each event")
  .parse();

const say = (line: string) => console.log(line);

async function simulateMisfortune({ seed, hours, scenario, verbose }: Given): Promise<boolean> {
  const startedMs = performance.now();
  const report = await simulate({ seed, hours, scenario, tell: verbose ? say : undefined });
  printReport(report, (performance.now() - startedMs) / 1000);
  if (report.violation) printViolation(report);
  else console.log("\nNo invariant was broken.");
  return report.violation === null;
}

function wellIfNone(complaints: string[]): boolean {
  for (const complaint of complaints) console.error(complaint);
  return complaints.length === 0;
}

async function run(given: Given, command: Command): Promise<boolean> {
  const { traces, churn, scaleDownCooldown, seed, verbose } = given;
  if (traces !== undefined) return wellIfNone(await runTraces(traces, say));
  if (given.scaling)
    return wellIfNone(await runDay({ seed, traces: churn, scaleDownCooldown, verbose }, say));
  if (churn !== undefined) command.error("error: --churn goes with --scaling");
  if (scaleDownCooldown !== undefined) command.error("error: --scale-down-cooldown goes with --scaling");
  return await simulateMisfortune(given);
}

try {
  if (!(await run(command.opts<Given>(), command))) process.exitCode = 1;
} catch (error) {
  if (!(error instanceof BadTraceFile)) throw error;
  command.error(`error: ${error.message}`);
}
