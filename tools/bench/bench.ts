/** `npm run bench -- api [--quick]`: ratios, never a pass or a fail. */
import { benchApi } from "./api.ts";

const [what, ...options] = process.argv.slice(2);
if (what !== "api") {
  console.error("usage: npm run bench -- api [--quick]");
  process.exitCode = 2;
} else {
  await benchApi(options.includes("--quick"));
}
