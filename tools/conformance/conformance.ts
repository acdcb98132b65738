/**
 * `npm run conformance [-- --url URL --admin-key KEY [--destructive]]`: the contract as a black box, promise by promise. Without a URL
 * against an API that is started here. Exit code 0 only when no promise is broken.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { projectRoot, vitestEntry } from "../project.ts";
import { targetEnv } from "./target.ts";

const usage = "usage: npm run conformance -- [--url URL --admin-key KEY [--destructive]]";

function fail(message: string): never {
  console.error(`${message}\n${usage}`);
  process.exit(2);
}

function readOptions() {
  const options = {
    url: { type: "string" },
    "admin-key": { type: "string" },
    destructive: { type: "boolean" },
  } as const;
  try {
    return parseArgs({ options }).values;
  } catch (error) {
    return fail(error instanceof Error ? error.message : String(error));
  }
}

const given = readOptions();
let env: Record<string, string> = {};
if (given.url === undefined) {
  if (given["admin-key"] !== undefined || given.destructive)
    fail("--admin-key and --destructive go with --url");
} else {
  const adminKey = given["admin-key"] ?? fail("--url needs --admin-key");
  if (!/^https?:/.test(URL.parse(given.url)?.protocol ?? "")) fail(`--url "${given.url}" is no http(s) URL`);
  const url = given.url.replace(/\/+$/, "");
  env = targetEnv({ url, adminKey, destructive: given.destructive ?? false });
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
