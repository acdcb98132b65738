/**
 * `npm run build:agent [-- --outdir DIR] [-- --module-only]`: the agent as one file, twice. `kelpie` for linux-x64 brings its
 * own Node and needs nothing but glibc 2.28 and libstdc++; `kelpie.mjs` is for images that bring Node, on any processor.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { buildBinary, lockedNode } from "./agent-build/binary.ts";
import { bundleModule } from "./agent-build/bundle.ts";
import { readElfNeeds } from "./agent-build/elf-needs.ts";
import { missingOnOldestSystem, newestVersions } from "./agent-build/oldest-system.ts";
import { commandLine } from "./command-line.ts";
import { projectRoot } from "./project.ts";

const given = commandLine(
  "build:agent",
  "The agent as one file: with its own Node, and for images that bring Node",
)
  .option("--outdir <DIR>", "where the files go", join(projectRoot, "dist"))
  .option("--module-only", "kelpie.mjs alone", false)
  .parse()
  .opts<{ outdir: string; moduleOnly: boolean }>();
const outdir = resolve(given.outdir);
mkdirSync(outdir, { recursive: true });

const module = join(outdir, "kelpie.mjs");
await bundleModule(module);
tell(module, process.execPath, [module], "kB");

if (!given.moduleOnly) await makeBinary();

async function makeBinary(): Promise<void> {
  const binary = join(outdir, "kelpie");
  const node = lockedNode();
  if (node === undefined) {
    console.log(`No ${shown(binary)}: it is made on linux-x64 only, where npm installs the Node for it`);
    return;
  }
  const workDirectory = mkdtempSync(join(outdir, "build-"));
  try {
    const { nodeVersion, stripped } = await buildBinary(node, binary, workDirectory);
    tell(binary, binary, [], "MB");
    const needs = readElfNeeds(binary);
    const missing = missingOnOldestSystem(needs);
    if (missing.length > 0)
      throw new Error(`${shown(binary)} would not start on Debian 10: it needs ${missing.join(", ")}`);
    console.log(
      `  Node ${nodeVersion}; needs ${newestVersions(needs).join(", ")}: Debian 10, RHEL 8 or newer`,
    );
    if (!stripped)
      console.log("  not stripped, a sixth larger than it could be: strip (binutils) is not here");
  } finally {
    rmSync(workDirectory, { recursive: true });
  }
}

function tell(path: string, command: string, before: string[], unit: "kB" | "MB"): void {
  const size = (statSync(path).size / (unit === "kB" ? 1e3 : 1e6)).toFixed(unit === "kB" ? 0 : 1);
  const times = Array.from({ length: 5 }, () => measureStartMs(command, before)).sort((a, b) => a - b);
  console.log(`${shown(path)}: ${size} ${unit}, starts in ${times[2]?.toFixed(0)} ms (median of 5)`);
}

/** Loading and parsing of everything, and no work. */
function measureStartMs(command: string, before: string[]): number {
  const startedMs = performance.now();
  const { status, stdout, stderr } = spawnSync(command, [...before, "--version"], {
    encoding: "utf8",
    timeout: 20_000,
  });
  const tookMs = performance.now() - startedMs;
  if (status !== 0 || !/^\d+\.\d+\.\d+/.test(stdout)) {
    throw new Error(
      `${shown(command)} does not tell the agent's version (exit ${status}):\n${stdout}${stderr}`,
    );
  }
  return tookMs;
}

function shown(path: string): string {
  return path.startsWith(`${projectRoot}/`) ? relative(projectRoot, path) : path;
}
