import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runInNewContext } from "node:vm";
import { expect, it, onTestFinished } from "vitest";
import { leastNodeVersion, nodeGuard } from "../../tools/node-guard.ts";
import { projectRoot } from "../../tools/project.ts";

/** What the guard does under a Node of that version. */
function runGuard(version: string): { said: string; code?: number } {
  const outcome: { said: string; code?: number } = { said: "" };
  const process = {
    versions: { node: version },
    execPath: "/usr/bin/node",
    stderr: {
      write(text: string) {
        outcome.said += text;
      },
    },
    exit(code: number) {
      outcome.code = code;
    },
  };
  runInNewContext(nodeGuard("22.19"), { process });
  return outcome;
}

it.each(["12.0.0", "20.20.2", "22.18.9", "22.3.0"])(
  "Node %s is told in one line that it is too old",
  (version) => {
    expect(runGuard(version)).toEqual({
      said: `kelpie needs Node 22.19 or later, and this is Node ${version} (/usr/bin/node)\n`,
      code: 78,
    });
  },
);

it.each(["22.19.0", "22.20.1", "24.0.0", "100.1.0"])("Node %s passes", (version) => {
  expect(runGuard(version)).toEqual({ said: "" });
});

// Whatever Node this machine has outside of the project; often there is none, or one that is new enough.
const systemNode = ["/usr/bin/node", "/usr/local/bin/node"].find((path) => {
  const version = spawnSync(path, ["--version"], { encoding: "utf8" }).stdout ?? "";
  return /^v(1\d|20|21)\./.test(version);
});

it.skipIf(systemNode === undefined)("the bundle under an old Node: that line, and exit code 78", () => {
  const outdir = mkdtempSync(join(tmpdir(), "kelpie-bundle-"));
  onTestFinished(() => rmSync(outdir, { recursive: true }));
  const program = join(projectRoot, "tools/build-agent.ts");
  const build = spawnSync(process.execPath, [program, "--module-only", "--outdir", outdir], {
    encoding: "utf8",
  });
  expect(build.stderr).toBe("");
  const bundle = spawnSync(systemNode ?? "", [join(outdir, "kelpie.mjs")], { encoding: "utf8" });
  expect(bundle.stderr).toMatch(/^kelpie needs Node 22\.19 or later, and this is Node [\d.]+ \(.*\)\n$/);
  expect(bundle.status).toBe(78);
});

it("the documents name the version of package.json", () => {
  for (const path of ["README.md", "examples/sum/README.md"]) {
    const named = [
      ...readFileSync(join(projectRoot, path), "utf8").matchAll(/Node (\d+\.\d+)(?= or later)/g),
    ];
    expect(new Set(named.map(([, version]) => version))).toEqual(new Set([leastNodeVersion()]));
  }
});
