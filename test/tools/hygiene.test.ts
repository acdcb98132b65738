import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { projectRoot } from "../../tools/project.ts";

const read = (path: string) => readFileSync(join(projectRoot, path), "utf8");

/** What is committed or would be: ignored files are nobody's business. A file deleted but not yet committed is gone. */
function projectFiles(): string[] {
  const listed = ["ls-files", "--cached", "--others", "--exclude-standard", "-z"];
  const names = execFileSync("git", listed, { cwd: projectRoot, encoding: "utf8" }).split("\0");
  return [...new Set(names)].filter((name) => name !== "" && existsSync(join(projectRoot, name)));
}

it("package.json names exact versions", () => {
  const { dependencies, devDependencies, optionalDependencies } = JSON.parse(read("package.json"));
  const versions = Object.entries<string>({ ...dependencies, ...devDependencies, ...optionalDependencies });
  expect(versions.length).toBeGreaterThan(5);
  expect(versions.filter(([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version))).toEqual([]);
});

it("package-lock.json names no registry: it installs from whichever one is configured", () => {
  expect(read("package-lock.json").match(/"resolved": "https?:[^"]*"/g) ?? []).toEqual([]);
});

// A tarball of the sources has no git; the files are then somebody else's to judge.
it.skipIf(!existsSync(join(projectRoot, ".git")))(
  "no file names a path of the machine that it was written on",
  () => {
    // Split, so that this file does not name them either. Not preceded by a letter: "routes/work/claim.ts" is no such path.
    const topFolders = ["wo" + "rk", "ro" + "ot", "ho" + "me/[a-z]", "Us" + "ers/[a-z]"].join("|");
    const typical = new RegExp(`(?<![\\w.{}:*-])/(?:${topFolders})/`);
    const own = [projectRoot, homedir()].filter((path) => path.length > 4).map((path) => `${path}/`);
    const offending = projectFiles().filter((name) => {
      const text = read(name);
      return typical.test(text) || own.some((path) => text.includes(path));
    });
    expect(offending).toEqual([]);
  },
);
