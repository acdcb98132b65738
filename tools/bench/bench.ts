/** `npm run bench -- agent|api|storage [--quick]`: ratios, never a pass or a fail. */
import { benchAgent } from "./agent.ts";
import { benchApi } from "./api.ts";
import { benchStorage } from "./storage.ts";

const benches: Record<string, (quick: boolean) => Promise<void>> = {
  agent: benchAgent,
  api: benchApi,
  storage: benchStorage,
};

const [what = "", ...options] = process.argv.slice(2);
const bench = Object.hasOwn(benches, what) ? benches[what] : undefined;
if (bench) {
  await bench(options.includes("--quick"));
} else {
  console.error(`usage: npm run bench -- ${Object.keys(benches).join("|")} [--quick]`);
  process.exitCode = 2;
}
