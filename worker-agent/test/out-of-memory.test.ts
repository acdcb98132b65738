/** A real command that takes all memory, in a control group of its own, where this machine lets us make one. */
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { launchAgentOf, startServer } from "./agent-process.ts";
import { eventually, program, shell } from "./commands.ts";

/** Enough for the agent, and not for the command. */
const limitMiB = 400;

/** A new group with that bound on memory; undefined where that cannot be had. The caller removes it. */
function makeGroup(): string | undefined {
  const places = [
    { parent: "/sys/fs/cgroup/memory", limit: "memory.limit_in_bytes" },
    { parent: "/sys/fs/cgroup", limit: "memory.max" },
  ];
  for (const { parent, limit } of places) {
    const group = join(parent, `kelpie-test-${process.pid}`);
    try {
      if (!existsSync(join(parent, "cgroup.procs"))) continue;
      mkdirSync(group);
      if (existsSync(join(group, limit))) {
        writeFileSync(join(group, limit), String(limitMiB * 1_048_576));
        return group;
      }
      rmdirSync(group);
    } catch {
      // Not root, or a group that may not be divided.
    }
  }
  return undefined;
}

const group = makeGroup();
if (group) rmdirSync(group);

/** An agent in a new such group, and its server. */
async function launchBounded() {
  const memory = makeGroup() ?? "";
  onTestFinished(async () => {
    // A test that failed may leave a command. Who has just been killed still counts as in the group for a moment.
    for (const pid of readFileSync(join(memory, "cgroup.procs"), "utf8").split("\n").filter(Boolean)) {
      process.kill(Number(pid), "SIGKILL");
    }
    await expect.poll(() => removed(memory), eventually).toBe(true);
  });
  const server = await startServer();
  const enter = ["/bin/sh", "-c", `echo $$ > ${join(memory, "cgroup.procs")}; exec "$@"`, "sh"];
  return { server, agent: launchAgentOf(server, { through: enter }) };
}

test.skipIf(!group)("a command takes all memory: it is killed, and the agent lives to say why", async () => {
  const { server, agent } = await launchBounded();
  const id = server.submit(
    program(`const held = []; setInterval(() => held.push(Buffer.alloc(16 << 20, 1)), 1);`),
  );
  const report = await server.report("failed", id);
  expect(report).toMatchObject({ cause: "out_of_memory", signal: "SIGKILL" });
  expect(report.reason).toContain(`${limitMiB} MiB`);
  agent.child.kill("SIGTERM");
  expect(await agent.exited).toBe(0);
});

test.skipIf(!group)(
  "many small processes take all memory: one of them is killed, and not the larger agent",
  async () => {
    const { server, agent } = await launchBounded();
    // Each tail keeps the line that never ends, 16 MB of it.
    const id = server.submit(
      shell(`
      for n in $(seq 40); do
        ( { head -c 16000000 /dev/zero; exec sleep 1000; } | ( tail > /dev/null || touch failed ) ) &
      done
      while [ ! -e failed ]; do sleep 0.05; done
      exit 1`),
    );
    expect(await server.report("failed", id)).toMatchObject({ cause: "out_of_memory", exit_code: 1 });
    agent.child.kill("SIGTERM");
    expect(await agent.exited).toBe(0);
  },
);

function removed(directory: string): boolean {
  try {
    rmdirSync(directory);
  } catch {
    return !existsSync(directory);
  }
  return true;
}
