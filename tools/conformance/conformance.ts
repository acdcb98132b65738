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

const usage = "usage: npm run conformance -- [--url URL --admin-key KEY [--salad URL] [--destructive]]";

function fail(message: string): never {
  console.error(`${message}\n${usage}`);
  process.exit(2);
}

function readOptions() {
  const options = {
    url: { type: "string" },
    "admin-key": { type: "string" },
    salad: { type: "string" },
    destructive: { type: "boolean" },
  } as const;
  try {
    return parseArgs({ options }).values;
  } catch (error) {
    return fail(error instanceof Error ? error.message : String(error));
  }
}

/** Without a final slash. */
function httpUrl(name: string, text: string): string {
  if (!/^https?:$/.test(URL.parse(text)?.protocol ?? "")) fail(`--${name} "${text}" is no http(s) URL`);
  return text.replace(/\/+$/, "");
}

const { url, salad, destructive, "admin-key": adminKey } = readOptions();
let env: Record<string, string> = {};
if (url !== undefined) {
  env = targetEnv({
    url: httpUrl("url", url),
    adminKey: adminKey ?? fail("--url needs --admin-key"),
    destructive: destructive ?? false,
    saladUrl: salad === undefined ? null : httpUrl("salad", salad),
  });
} else if (adminKey !== undefined || salad !== undefined || destructive) {
  fail("--admin-key, --salad and --destructive go with --url");
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
