/** Do the committed migrations say what src/db/schema.ts says? Generates into a copy and expects nothing new. */
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { drizzleKitEntry, projectRoot } from "./project.ts";

const copy = mkdtempSync(join(tmpdir(), "kelpie-migrations-"));
try {
  cpSync(join(projectRoot, "migrations"), copy, { recursive: true });
  const { stdout, stderr } = spawnSync(
    process.execPath,
    [
      drizzleKitEntry,
      "generate",
      ...["--dialect", "sqlite", "--schema", "./src/db/schema.ts"],
      // It takes every path as relative to where it runs.
      ...["--out", relative(projectRoot, copy)],
    ],
    { cwd: projectRoot, encoding: "utf8", input: "", timeout: 60_000 },
  );
  // Its exit code is 0 whatever happened; only its words tell.
  if (!/No schema changes/.test(stdout)) {
    console.error(`${stdout}${stderr}\nThe migrations lag behind src/db/schema.ts: run \`npm run generate\``);
    process.exitCode = 1;
  } else {
    console.log("The migrations match src/db/schema.ts");
  }
} finally {
  rmSync(copy, { recursive: true, force: true });
}
