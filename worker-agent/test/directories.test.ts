import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { homedir, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { Asides } from "../src/aside.ts";
import { DirectoryRefused, emptyIfThere, makeEmpty } from "../src/directories.ts";

function setup() {
  const root = realpathSync(mkdtempSync(join(tmpdir(), "kelpie-directories-")));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  const workdir = join(root, "app");
  mkdirSync(workdir);
  return { root, workdir, guard: { workdir, stateFile: join(root, "state", "state.json") } };
}

const upload = (local_path: string) => ({
  bucket: "b",
  prefix: "",
  local_path,
  direction: "upload" as const,
});

const noLocks = { take: async () => async () => undefined };

const quietly = (workdir: string) => ({
  workdir,
  signal: new AbortController().signal,
  jobId: "job",
  onPassedOver: () => undefined,
});

test("a job's directory is made, and emptied if it was there", async () => {
  const { root, guard } = setup();
  const path = join(root, "data", "deep");
  await makeEmpty(path, guard);
  writeFileSync(join(path, "left over"), "");
  mkdirSync(join(path, "inner"));
  await makeEmpty(path, guard);
  expect(existsSync(join(path, "left over"))).toBe(false);
  expect(existsSync(join(path, "inner"))).toBe(false);
});

test("directories whose clearing would harm more than a job are refused, also through a link", async () => {
  const { root, workdir, guard } = setup();
  writeFileSync(join(workdir, "precious"), "");
  symlinkSync(workdir, join(root, "innocent"));
  const refused = [
    "/",
    "/etc",
    "/usr",
    "/usr/lib/any",
    "/tmp",
    tmpdir(),
    "/var/lib",
    homedir(),
    workdir,
    root,
    join(root, "state"),
    join(root, "innocent"),
  ];
  for (const path of [...refused, dirname(process.execPath)]) {
    await expect(makeEmpty(path, guard), path).rejects.toThrow(DirectoryRefused);
    if (existsSync(path)) await expect(emptyIfThere(path, guard), path).rejects.toThrow(DirectoryRefused);
  }
  expect(existsSync(join(workdir, "precious"))).toBe(true);
});

test("the directory for temporary files is not emptied by a job that names it, wherever it is", async () => {
  const { root, guard } = setup();
  mkdirSync(join(root, "scratch/temporary"), { recursive: true });
  vi.stubEnv("TMPDIR", join(root, "scratch/temporary"));
  onTestFinished(() => void vi.unstubAllEnvs());
  for (const path of ["scratch", "scratch/temporary"])
    await expect(makeEmpty(join(root, path), guard), path).rejects.toThrow("temporary files");
  await makeEmpty(join(root, "scratch/temporary/of-a-job"), guard);
});

test("a name that is not UTF-8 does not stay for the next job", async () => {
  const { root, guard } = setup();
  const path = await makeEmpty(join(root, "data"), guard);
  writeFileSync(Buffer.concat([Buffer.from(`${path}/bad`), Buffer.from([0xff])]), "");
  await emptyIfThere(path, guard);
  expect(readdirSync(path)).toEqual([]);
});

test("a directory reached through a link is emptied; the link stays", async () => {
  const { root, guard } = setup();
  mkdirSync(join(root, "real"));
  writeFileSync(join(root, "real", "file"), "");
  symlinkSync(join(root, "real"), join(root, "link"));
  await makeEmpty(join(root, "link"), guard);
  expect(existsSync(join(root, "real", "file"))).toBe(false);
  expect(realpathSync(join(root, "link"))).toBe(join(root, "real"));
});

test("links inside a directory are removed, never followed", async () => {
  const { root, guard } = setup();
  mkdirSync(join(root, "elsewhere"));
  writeFileSync(join(root, "elsewhere", "precious"), "");
  const path = await makeEmpty(join(root, "data"), guard);
  symlinkSync(join(root, "elsewhere"), join(path, "link"));
  await emptyIfThere(path, guard);
  expect(existsSync(join(path, "link"))).toBe(false);
  expect(existsSync(join(root, "elsewhere", "precious"))).toBe(true);
});

test("outputs moved aside leave their directory empty and in place; nested rules find theirs", async () => {
  const { workdir } = setup();
  mkdirSync(join(workdir, "out/inner"), { recursive: true });
  writeFileSync(join(workdir, "out/inner/file"), "content");
  const rules = [upload("out/inner"), upload("out"), upload("missing")];
  const aside = await new Asides(noLocks).move(rules, quietly(workdir));
  const [inner, outer, missing] = rules.map((rule) => aside.from(rule));
  expect(readFileSync(join(inner ?? "", "file"), "utf8")).toBe("content");
  expect(readFileSync(join(outer ?? "", "inner/file"), "utf8")).toBe("content");
  expect(existsSync(missing ?? "")).toBe(true);
  expect(existsSync(join(workdir, "out"))).toBe(true);
  expect(existsSync(join(workdir, "out/inner"))).toBe(false);
  await aside.remove();
  expect(existsSync(outer ?? "")).toBe(false);
});

test("a directory with outputs aside inside cannot be left behind before they are gone", async () => {
  const { root, workdir } = setup();
  mkdirSync(join(workdir, "data/out"), { recursive: true });
  const asides = new Asides(noLocks);
  const aside = await asides.move([upload("data/out")], quietly(workdir));
  symlinkSync(join(workdir, "data"), join(root, "link"));
  expect(await asides.isInside(join(root, "link"))).toBe(true);
  expect(await asides.isInside(join(workdir, "data/out"))).toBe(false);
  let left = false;
  const leaving = asides
    .leave([join(workdir, "data")], new AbortController().signal, () => undefined)
    .then(() => {
      left = true;
    });
  await new Promise(setImmediate);
  expect(left).toBe(false);
  await aside.remove();
  await leaving;
});

/** What this program text prints as its only line, run by somebody who is not root: root may remove everything. */
function printedWithoutRoot(root: string, text: string): unknown {
  chmodSync(root, 0o777);
  // Once all of it is loaded: the project may lie where nobody else may read.
  const leaveRoot = `if (process.getuid() === 0) {
    process.setgroups([]);
    process.setgid(65_534);
    process.setuid(65_534);
  }`;
  const child = spawnSync(process.execPath, ["--input-type=module", "-e", leaveRoot + text], {
    encoding: "utf8",
  });
  expect(child.stderr).not.toContain("EACCES");
  return JSON.parse(child.stdout);
}

const source = (name: string) => JSON.stringify(new URL(`../src/${name}`, import.meta.url).href);

test("a directory that a job left read-only or closed is emptied for the next one, also where the agent is not root", () => {
  const { root } = setup();
  const text = `
    import { chmodSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
    import { makeEmpty } from ${source("directories.ts")};
    const path = ${JSON.stringify(join(root, "data"))};
    mkdirSync(path + "/cache/closed/inner", { recursive: true });
    for (const name of ["/cache/package", "/cache/closed/inner/file"]) writeFileSync(path + name, "");
    chmodSync(path + "/cache/closed", 0);
    chmodSync(path + "/cache", 0o555);
    chmodSync(path, 0o555);
    await makeEmpty(path, { workdir: "/nowhere", stateFile: "/nowhere/state.json" });
    console.log(JSON.stringify(readdirSync(path)));
  `;
  expect(printedWithoutRoot(root, text)).toEqual([]);
});

test("outputs with a read-only directory in them are removed after their upload, and are in nobody's way", () => {
  const { root } = setup();
  const text = `
    import { chmodSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
    import { Asides } from ${source("aside.ts")};
    const root = ${JSON.stringify(root)};
    mkdirSync(root + "/data/out/model/cache", { recursive: true });
    writeFileSync(root + "/data/out/model/cache/file", "");
    chmodSync(root + "/data/out/model/cache", 0o555);
    const asides = new Asides({ take: async () => async () => undefined });
    const rule = { bucket: "b", prefix: "", local_path: root + "/data/out", direction: "upload" };
    const signal = new AbortController().signal;
    const aside = await asides.move([rule], { workdir: root, jobId: "job", signal, onPassedOver() {} });
    await aside.remove().catch((error) => console.error(error));
    const inTheWay = await asides.isInside(root + "/data");
    console.log(JSON.stringify({ left: readdirSync(root + "/data"), inTheWay }));
  `;
  expect(printedWithoutRoot(root, text)).toEqual({ left: ["out"], inTheWay: false });
});
