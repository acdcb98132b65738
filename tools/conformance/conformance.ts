/**
 * `npm run conformance [-- --url URL --admin-key KEY [--destructive]]`: the contract as a black box, promise by promise. Without a URL
 * against an API that is started here. Exit code 0 only when no promise is broken.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { commandLine, httpUrl } from "../command-line.ts";
import { projectRoot, vitestEntry } from "../project.ts";
import { targetEnv } from "./target.ts";

const command = commandLine("conformance", "The contract, promise by promise")
  .option("--url <URL>", "an API that runs already (default: one that is started here)", httpUrl)
  .option("--admin-key <KEY>", "with --url: its ADMIN_KEY")
  .option("--salad <URL>", "with --url: the simulated SaladCloud that it asks (npm run salad)", httpUrl)
  .option("--destructive", "with --url: what clears everything too")
  .parse();
const { url, salad, destructive, adminKey } = command.opts<{
  url?: string;
  salad?: string;
  destructive?: boolean;
  adminKey?: string;
}>();
let env: Record<string, string> = {};
if (url !== undefined) {
  env = targetEnv({
    url,
    adminKey: adminKey ?? command.error("error: --url needs --admin-key"),
    destructive: destructive ?? false,
    saladUrl: salad ?? null,
  });
} else if (adminKey !== undefined || salad !== undefined || destructive) {
  command.error("error: --admin-key, --salad and --destructive go with --url");
}

const reporter = join(projectRoot, "tools/conformance/reporter.ts");
const projects = ["--project", "conformance", "--project", "conformance-alone"];
const child = spawn(process.execPath, [vitestEntry, "run", ...projects, "--reporter", reporter], {
  cwd: projectRoot,
  env: { ...process.env, ...env },
  stdio: ["ignore", "inherit", "inherit"],
});
const [code] = await once(child, "exit");
process.exitCode = code ?? 1;
