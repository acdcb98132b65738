/**
 * `npm run lab -- [--minutes M] [--seed N] [--nodes K]`: the real API and real agents on a simulated SaladCloud that brings instances up, takes them
 * away and loses them; bursts of jobs, and nothing in between (docs/lab.md). Exit code 0 only if all is right at the end.
 * The same seed draws the same delays, lives and jobs; what comes of them is up to real processes.
 */
import { clockSeed, commandLine, positive, whole } from "../command-line.ts";
import { runToTheEnd } from "../processes/run-to-the-end.ts";
import { LabStage } from "./stage.ts";

const { minutes, seed, nodes } = commandLine(
  "lab",
  "The API and agents on a simulated SaladCloud, for some minutes",
)
  .option("--minutes <M>", "how long bursts of jobs come", positive(600), 3)
  .addOption(clockSeed("delays, lives and jobs"))
  .option("--nodes <K>", "instances at most", whole(1, 50), 4)
  .parse()
  .opts<{ minutes: number; seed: number; nodes: number }>();

const options = { seed, durationMs: minutes * 60_000, nodes };
await runToTheEnd("lab", (directory, interrupted) => new LabStage(options, directory, interrupted));
