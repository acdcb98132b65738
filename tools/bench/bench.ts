/** `npm run bench -- agent|api|storage [--quick]`: ratios, never a pass or a fail. */
import { Argument } from "commander";
import { commandLine } from "../command-line.ts";
import { benchAgent } from "./agent.ts";
import { benchApi } from "./api.ts";
import { benchStorage } from "./storage.ts";

const benches: Record<string, (quick: boolean) => Promise<void>> = {
  agent: benchAgent,
  api: benchApi,
  storage: benchStorage,
};

const command = commandLine("bench", "Ratios, never a pass or a fail")
  .usage("WHAT [options]")
  .addArgument(new Argument("WHAT", "what is measured").choices(Object.keys(benches)))
  .option("--quick", "fewer and smaller rounds", false)
  .parse();
await benches[command.args[0] ?? ""]?.(command.opts<{ quick: boolean }>().quick);
