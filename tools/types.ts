/**
 * `npm run types`: the compiler over every runtime. Each folder with a tsconfig.json is one: its types differ (none,
 * Workers, Node), so one run over all would let the API use Node and the agent use Workers.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { projectRoot, tscEntry } from "./project.ts";

const notOurs = new Set(["node_modules", "dist"]);

/** Folders with a tsconfig.json; the top one only carries the common settings. */
export function findTypeScriptProjects(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !notOurs.has(entry.name) && !entry.name.startsWith("."))
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      const own = readdirSync(path).includes("tsconfig.json") ? [path] : [];
      return [...own, ...findTypeScriptProjects(path)];
    })
    .sort();
}

if (import.meta.main) {
  const failed: string[] = [];
  for (const project of findTypeScriptProjects(projectRoot)) {
    const name = relative(projectRoot, join(project, "tsconfig.json"));
    const compiler = spawn(tscEntry, ["-p", project], { cwd: projectRoot, stdio: "inherit" });
    const [code] = await once(compiler, "exit");
    console.log(`${code === 0 ? "✓" : "✗"} ${dirname(name)}`);
    if (code !== 0) failed.push(name);
  }
  if (failed.length > 0) {
    console.error(`\nTypes do not hold in ${failed.join(", ")}`);
    process.exit(1);
  }
}
