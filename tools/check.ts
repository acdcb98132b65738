/** `npm run check [-- --no-tests]`: everything a change must pass, each once, all reported. CI runs exactly this. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { biomeEntry, projectRoot, quietWranglerEnv, vitestEntry, wranglerEntry } from "./project.ts";

interface Step {
  name: string;
  command: string;
  arguments: string[];
  env?: Record<string, string>;
}

const node = process.execPath;
const steps: Step[] = [
  {
    name: "format and lint",
    command: biomeEntry,
    arguments: ["ci", ".", `--colors=${process.stdout.isTTY ? "force" : "off"}`],
  },
  { name: "types", command: node, arguments: [join(projectRoot, "tools/types.ts")] },
  {
    name: "generated: bindings",
    command: node,
    // The flags are those of `npm run generate`: the generated file names them, and the check compares that too.
    arguments: [
      wranglerEntry,
      "types",
      ...["--include-runtime=false", "--strict-vars=false", "src/bindings.d.ts", "--check"],
    ],
    env: quietWranglerEnv,
  },
  {
    name: "generated: migrations",
    command: node,
    arguments: [join(projectRoot, "tools/migrations-drift.ts")],
  },
  { name: "tests", command: node, arguments: [vitestEntry, "run"] },
];

const withTests = !process.argv.includes("--no-tests");
const rows: { name: string; passed: boolean; seconds: string }[] = [];
for (const step of steps) {
  if (step.name === "tests" && !withTests) continue;
  console.log(`\n── ${step.name} ──`);
  const startedMs = performance.now();
  const child = spawn(step.command, step.arguments, {
    cwd: projectRoot,
    env: { ...process.env, ...step.env },
    stdio: ["ignore", "inherit", "inherit"],
  });
  const [code] = await once(child, "exit");
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  rows.push({ name: step.name, passed: code === 0, seconds });
}

console.log("");
for (const { name, passed, seconds } of rows) {
  console.log(`${passed ? "✓" : "✗"} ${name.padEnd(24)} ${seconds.padStart(6)} s`);
}
process.exitCode = rows.every(({ passed }) => passed) ? 0 : 1;
