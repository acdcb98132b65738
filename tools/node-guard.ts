import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { projectRoot } from "./project.ts";

/** "22.19" of package.json's `engines`: the one place that says which Node the project needs. */
export function leastNodeVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(join(projectRoot, "package.json"), "utf8"));
  const range = z.object({ engines: z.object({ node: z.string() }) }).parse(manifest).engines.node;
  const least = /^>=(\d+\.\d+)$/.exec(range)?.[1];
  if (least === undefined) throw new Error(`package.json: "${range}" is not of the form >=22.19`);
  return least;
}

/**
 * JavaScript that ends an older Node with one line instead of a stack of minified source, and with the exit code of a
 * configuration that a person must mend (78, as in worker-agent/src/main.ts). In words that any Node understands.
 */
export function nodeGuard(least: string): string {
  const [major, minor] = least.split(".");
  return [
    "{",
    '  const [major, minor] = process.versions.node.split(".").map(Number);',
    `  if (major < ${major} || (major === ${major} && minor < ${minor})) {`,
    `    process.stderr.write("kelpie needs Node ${least} or later, and this is Node " + process.versions.node + " (" + process.execPath + ")\\n");`,
    "    process.exit(78);",
    "  }",
    "}",
  ].join("\n");
}
