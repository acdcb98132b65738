/**
 * `npm run chaos -- --minutes M [--seed N]`: the API killed, agents killed, frozen and cut off, all of it for real, and a judge
 * who trusts nobody. Exit code 0 only if every promise was kept. The same seed draws the same faults and jobs; what they
 * meet is up to real processes and never the same twice.
 *
 * Where this ends: one machine, so one clock; the local storage dies with the API; a power cut of the API's machine is not
 * played, only the death of its processes.
 *
 * `npm run chaos -- --soak JOBS [--slots S]`: no faults; whether the agent stays small and idle (soak/soak.ts).
 */
import { limits } from "../../src/contract/index.ts";
import { clockSeed, commandLine, positive, whole } from "../command-line.ts";
import { runToTheEnd } from "../processes/run-to-the-end.ts";
import { soak } from "./soak/soak.ts";
import { ChaosStage } from "./stage.ts";

/** As the agent bounds them: a lease that runs and one that still uploads each. */
const mostSlots = limits.renewals / 2;

const command = commandLine("chaos", "API and agents killed, frozen and cut off, and a judge")
  .option("--minutes <M>", "how long faults go on", positive(), 3)
  .addOption(clockSeed("faults and jobs"))
  .option(
    "--soak <JOBS>",
    "instead: no faults; whether the agent stays small and idle over so many jobs",
    whole(1),
  )
  .option("--slots <S>", "of the soak's agent: jobs that it runs at once (default: 1)", whole(1, mostSlots))
  .parse();
const given = command.opts<{ minutes: number; seed: number; soak?: number; slots?: number }>();

if (given.soak !== undefined) await soak(given.soak, given.slots ?? 1);
if (given.slots !== undefined) command.error("error: --slots goes with --soak");

const options = { seed: given.seed, stormMs: given.minutes * 60_000 };
await runToTheEnd("chaos", (directory, interrupted) => new ChaosStage(options, directory, interrupted));
