/** The agent and all that it imports in one file of JavaScript. */
import { chmod } from "node:fs/promises";
import { join } from "node:path";
import { type BuildOptions, build } from "esbuild";
import { leastNodeVersion, nodeGuard } from "../node-guard.ts";
import { projectRoot } from "../project.ts";

const common = {
  entryPoints: [join(projectRoot, "worker-agent/src/main.ts")],
  bundle: true,
  platform: "node",
  minify: true,
  // Names of functions and classes show in stacks and error names.
  keepNames: true,
  sourcemap: "external",
  legalComments: "none",
  logLevel: "warning",
} satisfies BuildOptions;

/** A module for images that bring their own Node; executable by itself where `node` is in the PATH. */
export async function bundleModule(outfile: string): Promise<void> {
  await build({
    ...common,
    outfile,
    format: "esm",
    target: `node${leastNodeVersion()}`,
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
  await chmod(outfile, 0o755);
}

/** A script for the Node that it will be put into: that takes CommonJS only, so main.ts may not await at its top. */
export async function bundleScript(outfile: string, nodeVersion: string): Promise<void> {
  await build({ ...common, outfile, format: "cjs", target: `node${nodeVersion}` });
}
