/** Memory and disk that ran out are told apart from other ends of a command. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { createCgroupMemory } from "../src/cgroup-memory.ts";
import { findFull } from "../src/disk-space.ts";
import { startAgent } from "./agent-under-test.ts";
import { fileAppears, shell } from "./commands.ts";
import { canMount, mountSmall } from "./small-disk.ts";

/** A container's counters as files; `write` changes one. */
function fakeCgroups(self: string, files: Record<string, string>) {
  const root = mkdtempSync(join(tmpdir(), "kelpie-cgroup-"));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  const write = (name: string, content: string) => {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), content);
  };
  for (const [name, content] of Object.entries({ ...files, self })) write(name, content);
  return { memory: createCgroupMemory(root, join(root, "self")), write };
}

const events = (oomKills: number) => `low 0\nhigh 0\nmax 5\noom 3\noom_kill ${oomKills}\noom_group_kill 0\n`;

test("cgroup v2: the container's own counters, seen as the root or at a path", () => {
  const asRoot = fakeCgroups("0::/\n", { "memory.events": events(2), "memory.max": "1073741824\n" });
  expect(asRoot.memory.oomKills()).toBe(2);
  expect(asRoot.memory.limit()).toEqual({ bytes: 1_073_741_824, file: "memory.max" });
  const nested = fakeCgroups("0::/pod/one\n", {
    "memory.events": events(9),
    "pod/one/memory.events": events(1),
    "pod/one/memory.max": "max\n",
  });
  expect(nested.memory.oomKills()).toBe(1);
  expect(nested.memory.limit()).toBe(undefined);
});

test("cgroup v1: the memory controller's", () => {
  const { memory } = fakeCgroups("5:cpu:/\n4:memory:/docker/x\n0::/\n", {
    "memory/docker/x/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 4\n",
    "memory/docker/x/memory.limit_in_bytes": "9223372036854771712\n",
  });
  expect(memory.oomKills()).toBe(4);
  expect(memory.limit()).toBe(undefined);
});

test("no counters: nothing is claimed", () => {
  const { memory } = fakeCgroups("", {});
  expect(memory.oomKills()).toBe(undefined);
  expect(memory.limit()).toBe(undefined);
});

const countersNow = { "memory.events": events(7), "memory.max": `${64 * 1_048_576}\n` };

test("the kernel kills the command for want of memory: the attempt says so, with the bound", async () => {
  const { memory, write } = fakeCgroups("0::/\n", countersNow);
  const agent = await startAgent({ memory });
  const id = agent.server.submit(
    shell("touch started; while [ ! -e go ]; do sleep 0.02; done; kill -KILL $$"),
  );
  await fileAppears(agent.path("started"));
  write("memory.events", events(8));
  writeFileSync(agent.path("go"), "");
  const report = await agent.server.report("failed", id);
  expect(report).toMatchObject({ cause: "out_of_memory", signal: "SIGKILL" });
  expect(report.reason).toContain("memory.max is 64 MiB");
});

test("a SIGKILL alone is a signal, and an exit code an exit, whatever was killed before", async () => {
  const { memory } = fakeCgroups("0::/\n", countersNow);
  const agent = await startAgent({ memory });
  const killed = agent.server.submit(shell("kill -KILL $$"));
  expect(await agent.server.report("failed", killed)).toMatchObject({ cause: "signal", signal: "SIGKILL" });
  const exited = agent.server.submit(shell("exit 3"));
  expect(await agent.server.report("failed", exited)).toMatchObject({ cause: "exit", exit_code: 3 });
  const missing = agent.server.submit({ command: "/no/such/command" });
  expect(await agent.server.report("failed", missing)).toMatchObject({
    cause: "not_started",
    exit_code: 127,
  });
});

test("a helper is killed for want of memory and the command succeeds all the same: no cause but its exit", async () => {
  const { memory, write } = fakeCgroups("0::/\n", countersNow);
  const agent = await startAgent({ memory });
  const id = agent.server.submit(shell("touch started; while [ ! -e go ]; do sleep 0.02; done"));
  await fileAppears(agent.path("started"));
  write("memory.events", events(8));
  writeFileSync(agent.path("go"), "");
  expect(await agent.server.report("completed", id)).toMatchObject({ cause: "exit", exit_code: 0 });
});

test("a directory that is not there is not full", async () => {
  expect(await findFull(["/no/such/directory", tmpdir()])).toBe(undefined);
});

test.skipIf(!canMount())("the command fails with its disk full: the attempt says so, and where", async () => {
  const agent = await startAgent();
  const disk = mkdtempSync(join(tmpdir(), "kelpie-small-"));
  onTestFinished(() => rmSync(disk, { recursive: true, force: true }));
  await mountSmall(disk);
  const id = agent.server.submit({
    sync: { during: [{ bucket: "b", prefix: "c/", local_path: disk, direction: "upload" }] },
    ...shell(`dd if=/dev/zero of=${disk}/big bs=64k 2> /dev/null`),
  });
  const report = await agent.server.report("failed", id);
  expect(report).toMatchObject({ cause: "disk_full", exit_code: 1 });
  expect(report.reason).toContain(`no disk space is left at ${disk}`);
});
