/** `npm run build:agent`: the agent as one file, dist/kelpie.mjs, for images that bring their own Node. */
import { spawnSync } from "node:child_process";
import { chmodSync, statSync } from "node:fs";
import { join, relative } from "node:path";
import { build } from "esbuild";
import { leastNodeVersion, nodeGuard } from "./node-guard.ts";
import { projectRoot } from "./project.ts";

const outfile = join(projectRoot, "dist/kelpie.mjs");

await build({
  entryPoints: [join(projectRoot, "worker-agent/src/main.ts")],
  outfile,
  bundle: true,
  platform: "node",
  target: `node${leastNodeVersion()}`,
  format: "esm",
  minify: true,
  // Names of functions and classes show in stacks and error names.
  keepNames: true,
  sourcemap: "external",
  legalComments: "none",
  logLevel: "warning",
  banner: {
    js: [
      // After main.ts's own "#!" line, and before all of it but its imports, which are of Node's own modules only.
      nodeGuard(leastNodeVersion()),
      // Dependencies in CommonJS call require("node:…"), which a module does not have.
      'import { createRequire as kelpieCreateRequire } from "node:module";',
      "const require = kelpieCreateRequire(import.meta.url);",
    ].join("\n"),
  },
});
chmodSync(outfile, 0o755);

/** Loading and parsing of everything, and no work. */
function measureStartMs(): number {
  const startedMs = performance.now();
  const { status, stdout, stderr } = spawnSync(process.execPath, [outfile, "--version"], {
    encoding: "utf8",
    timeout: 20_000,
  });
  const tookMs = performance.now() - startedMs;
  if (status !== 0 || !/^\d+\.\d+\.\d+/.test(stdout)) {
    throw new Error(`The bundle does not tell its version (exit ${status}):\n${stdout}${stderr}`);
  }
  return tookMs;
}

const times = Array.from({ length: 5 }, measureStartMs).sort((a, b) => a - b);
const kib = (statSync(outfile).size / 1024).toFixed(0);
console.log(
  `${relative(projectRoot, outfile)}: ${kib} KiB, starts in ${times[2]?.toFixed(0)} ms (median of 5)`,
);
