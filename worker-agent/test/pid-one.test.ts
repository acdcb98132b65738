/** The agent as the first process of a container: in a PID namespace of its own, where this machine lets us make one. */
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { launch, launchAgentOf, startServer } from "./agent-process.ts";
import { eventually, fileAppears, shell } from "./commands.ts";

const namespace = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"];

function canUnshare(): boolean {
  try {
    execFileSync("unshare", [...namespace.slice(1), "true"], { stdio: "ignore" });
    return true;
  } catch {
    return false; // needs the right to make namespaces (root), and Linux
  }
}

describe.skipIf(!canUnshare())("PID 1", () => {
  test("orphans are reaped, and SIGTERM reaches the agent, which exits with 0", async () => {
    const server = await startServer();
    const agent = launchAgentOf(server, { through: namespace });
    const id = server.submit(
      shell(`
        for n in 1 2 3 4 5; do ( ( exec sleep 0.01 ) & ); done
        while [ "$(grep -l "^State:.Z" /proc/[0-9]*/status 2>/dev/null | wc -l)" -gt 0 ]; do sleep 0.05; done
        while [ "$(pgrep -c -f "^sleep 0.01")" -gt 0 ]; do sleep 0.05; done
        cat /proc/1/cmdline > first
        trap "exit 0" TERM
        touch ready
        while :; do sleep 0.05; done`),
    );
    await fileAppears(agent.path("ready"));
    expect(readFileSync(agent.path("first"), "utf8")).toContain("kelpie-init");
    const first = firstProcessOf(agent.child.pid ?? 0);
    process.kill(first, "SIGTERM");
    expect(await agent.exited).toBe(0);
    expect(server.endOf(id)).toBe("released");
  });

  test("a second SIGTERM is passed on too", async () => {
    const server = await startServer();
    const agent = launchAgentOf(server, { through: namespace });
    server.submit(shell(`trap "touch told" TERM; touch ready; while :; do sleep 0.05; done`));
    await fileAppears(agent.path("ready"));
    const first = firstProcessOf(agent.child.pid ?? 0);
    process.kill(first, "SIGTERM");
    await fileAppears(agent.path("told"));
    process.kill(first, "SIGTERM");
    expect(await agent.exited).toBe(0);
    expect(agent.output()).toContain("told again to stop");
  });

  test("the exit code and arguments pass through", async () => {
    const refused = launch({ environment: { KELPIE_API_URL: "nonsense" }, through: namespace });
    expect(await refused.exited).toBe(78);
    const told = launch({ environment: {}, args: ["--version"], through: namespace });
    expect(await told.exited).toBe(0);
    expect(told.output()).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  test("an agent that is killed says so, and does not get its node blocked", async () => {
    const server = await startServer();
    const agent = launchAgentOf(server, { through: namespace });
    await server.until((call) => call.route === "claim");
    const first = firstProcessOf(agent.child.pid ?? 0);
    await expect.poll(() => childrenOf(first).length, eventually).toBe(1);
    process.kill(childrenOf(first)[0] ?? 0, "SIGKILL");
    expect(await agent.exited).toBe(0);
    expect(agent.output()).toContain("the agent was killed");
  });
});

function childrenOf(pid: number): number[] {
  return readdirSync(`/proc/${pid}/task`)
    .flatMap((task) => readFileSync(`/proc/${pid}/task/${task}/children`, "utf8").split(" "))
    .filter((text) => text !== "")
    .map(Number);
}

/** What unshare has started: PID 1 inside. */
function firstProcessOf(pid: number): number {
  const [first] = childrenOf(pid);
  if (first === undefined) throw new Error("unshare has no child");
  return first;
}
