/**
 * `npm run fuzz -- [--url URL --admin-key KEY] [--requests N] [--seed N]`: good and spoiled requests to every route of the OpenAPI document.
 * Without a URL it starts an API of its own, with a simulated SaladCloud behind it; at a URL no group is known, and no scaling rule is made. Routes that clear everything are left out at a URL, unless `--destructive` is given.
 */
import { commandLine, httpUrl, whole } from "../command-line.ts";
import { localAdminKey } from "../local-api.ts";
import { printFuzzReport } from "./report.ts";
import { runFuzz } from "./run.ts";
import { startFuzzStage } from "./stage.ts";

const given = commandLine("fuzz", "Good and spoiled requests to every route of the OpenAPI document")
  .option("--url <URL>", "an API that runs already (default: one of its own)", httpUrl)
  .option("--admin-key <KEY>", "its ADMIN_KEY", localAdminKey)
  .option("--requests <N>", "how many", whole(1), 20_000)
  .option("--seed <N>", "what draws them", whole(), 1)
  .option("--destructive", "with --url: routes that clear everything too", false)
  .parse()
  .opts<{ url?: string; adminKey: string; requests: number; seed: number; destructive: boolean }>();
const settings = {
  adminKey: given.adminKey,
  requests: given.requests,
  seed: given.seed,
  destructive: given.destructive || given.url === undefined,
  tell: (line: string) => console.log(line),
};

if (given.url !== undefined) {
  const report = await runFuzz({ ...settings, url: given.url });
  process.exitCode = printFuzzReport(report, console.log) ? 0 : 1;
} else {
  const { url, groups, stop } = await startFuzzStage(settings.adminKey);
  try {
    const report = await runFuzz({ ...settings, url, groups });
    process.exitCode = printFuzzReport(report, console.log) ? 0 : 1;
  } finally {
    await stop();
  }
}
