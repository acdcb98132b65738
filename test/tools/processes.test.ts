import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { startProcess } from "../../tools/processes/managed-process.ts";
import { descendantsOf, freezeTree, isAlive } from "../../tools/processes/tree.ts";
import { projectRoot } from "../../tools/project.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "kelpie-processes-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** A stand-in for an agent: its child runs detached, in a process group of its own, and ignores SIGTERM. */
function writeFamily(): { parent: string; childPid: () => Promise<number> } {
  const pidFile = join(directory, "child.pid");
  const child = `process.on("SIGTERM", () => {}); require("fs").writeFileSync(${JSON.stringify(`${pidFile}.tmp`)}, String(process.pid)); require("fs").renameSync(${JSON.stringify(`${pidFile}.tmp`)}, ${JSON.stringify(pidFile)}); setInterval(() => {}, 1000);`;
  const parent = join(directory, "parent.cjs");
  writeFileSync(
    parent,
    `require("child_process").spawn(process.execPath, ["-e", ${JSON.stringify(child)}], { detached: true, stdio: "ignore" });
     process.on("SIGTERM", () => {}); setInterval(() => {}, 1000);`,
  );
  const childPid = async () => {
    await until(() => existsSync(pidFile));
    return Number(readFileSync(pidFile, "utf8"));
  };
  return { parent, childPid };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 10));
}

it("kill takes a detached grandchild along", async () => {
  const family = writeFamily();
  const managed = startProcess(process.execPath, [family.parent], { cwd: directory, env: process.env });
  const childPid = await family.childPid();
  expect(descendantsOf(managed.pid)).toContain(childPid);
  expect(await managed.kill()).toMatchObject({ signal: "SIGKILL" });
  await until(() => !isAlive(childPid));
  expect(managed.isRunning()).toBe(false);
});

it("stop kills who does not heed SIGTERM within the grace period", async () => {
  const family = writeFamily();
  const managed = startProcess(process.execPath, [family.parent], { cwd: directory, env: process.env });
  const childPid = await family.childPid();
  expect(await managed.stop(100)).toMatchObject({ signal: "SIGKILL" });
  await until(() => !isAlive(childPid));
});

it("a command that does not exist is an exit like any other", async () => {
  const managed = startProcess(join(directory, "nothing"), [], { cwd: directory, env: process.env });
  expect(await managed.exited).toMatchObject({ code: 127 });
  expect(managed.tail()).toContain("ENOENT");
  expect(await managed.stop()).toMatchObject({ code: 127 });
});

it("what a process started ends when it is killed without a chance to clean up", async () => {
  const family = writeFamily();
  const starter = join(directory, "starter.ts");
  writeFileSync(
    starter,
    `import { startProcess } from ${JSON.stringify(join(projectRoot, "tools/processes/managed-process.ts"))};
     startProcess(process.execPath, [${JSON.stringify(family.parent)}], { cwd: ${JSON.stringify(directory)}, env: process.env });`,
  );
  const harness = spawn(process.execPath, [starter], { stdio: "ignore" });
  const childPid = await family.childPid();
  harness.kill("SIGKILL");
  await once(harness, "exit");
  await until(() => !isAlive(childPid));
});

it("a temporary directory goes when its owner is killed, after those who write there", async () => {
  const starter = join(directory, "starter.ts");
  const writer = `setInterval(() => { require("fs").mkdirSync(process.env.IN + "/a/b", { recursive: true }); }, 1); process.on("SIGTERM", () => {});`;
  writeFileSync(
    starter,
    `import { startProcess } from ${JSON.stringify(join(projectRoot, "tools/processes/managed-process.ts"))};
     import { makeTemporaryDirectory } from ${JSON.stringify(join(projectRoot, "tools/processes/temporary-directory.ts"))};
     const { path } = makeTemporaryDirectory(${JSON.stringify(join(directory, "mine-"))});
     startProcess(process.execPath, ["-e", ${JSON.stringify(writer)}], { cwd: path, env: { ...process.env, IN: path } });`,
  );
  const mine = () => readdirSync(directory).filter((name) => name.startsWith("mine-"));
  const owner = spawn(process.execPath, [starter], { stdio: "ignore" });
  await until(() => mine().some((name) => existsSync(join(directory, name, "a/b"))));
  owner.kill("SIGKILL");
  await once(owner, "exit");
  await until(() => mine().length === 0);
});

it("freezing stops a detached grandchild too; both go on when told to", async () => {
  const family = writeFamily();
  const managed = startProcess(process.execPath, [family.parent], { cwd: directory, env: process.env });
  const childPid = await family.childPid();
  const stateOf = (pid: number) => /\) (\S)/.exec(readFileSync(`/proc/${pid}/stat`, "utf8"))?.[1];
  const frozen = freezeTree(managed.pid);
  expect(frozen.toSorted()).toEqual([managed.pid, childPid].toSorted());
  await until(() => frozen.every((pid) => stateOf(pid) === "T"));
  for (const pid of frozen) process.kill(pid, "SIGCONT");
  await until(() => frozen.every((pid) => stateOf(pid) !== "T"));
  await managed.kill();
});
