/** An agent that starts where another one was killed. */
import { existsSync, readFileSync, statSync, watch, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { HeldAttempts, heldFileOf } from "../src/held-attempts.ts";
import { createLog } from "../src/log.ts";
import { readProcess } from "../src/process-table.ts";
import { launchAgentOf, startServer, temporaryDirectory } from "./agent-process.ts";
import { eventually, fileAppears, shell } from "./commands.ts";

const heldFile = "kelpie-state.json.held";

/** What an agent with its state in that directory holds. */
function heldIn(workdir: string) {
  const stateFile = join(workdir, "kelpie-state.json");
  const held = new HeldAttempts(stateFile, createLog({ level: "error", write: () => undefined }));
  return { held, file: heldFileOf(stateFile) };
}

const attemptOf = (job_id: string) => ({
  job_id,
  attempt: 1,
  lease_token: "token",
  run_id: "6f0f6c1e-0000-4000-8000-000000000000",
});

const lives = (pid: number) => {
  const found = readProcess(pid);
  return found !== undefined && !found.zombie;
};

/** Leaves a process in a session of its own, and tells its pid in a file; the first attempt stays, the second one succeeds. */
const leavesOrphan = shell(`
  [ -e again ] && exit 0
  touch again
  setsid sh -c 'trap "" TERM INT HUP; echo $$ > orphan.tmp; mv orphan.tmp orphan; exec sleep 1000' &
  wait`);

/** An agent that was killed while its job's command ran, which left an orphan. */
async function killedAtWork() {
  const server = await startServer();
  const killed = launchAgentOf(server);
  const id = server.submit(leavesOrphan);
  await fileAppears(killed.path("orphan"));
  killed.child.kill("SIGKILL");
  await killed.gone;
  return { server, killed, id };
}

test("the agent is killed: the next one in its place ends what still runs, gives the job back at once, and runs it again", async () => {
  const { server, killed, id } = await killedAtWork();
  const orphan = Number(readFileSync(killed.path("orphan"), "utf8"));
  expect(lives(orphan)).toBe(true);
  expect(statSync(killed.path(heldFile)).mode & 0o777).toBe(0o600);
  const { token } = server.firstLease(id);

  const next = launchAgentOf(server, { workdir: killed.workdir });
  expect(await server.report("released", id)).toMatchObject({
    attempt: 1,
    lease_token: token,
    reason: "the agent was restarted",
  });
  expect(lives(orphan)).toBe(false);
  server.requeue(id);
  expect(await server.report("completed", id)).toMatchObject({ attempt: 2 });
  next.child.kill("SIGTERM");
  expect(await next.exited).toBe(0);
  expect(existsSync(killed.path(heldFile))).toBe(false);
});

test("the agent is killed while it tries to report a completion: the next one reports it", async () => {
  const server = await startServer();
  server.fault = (call) => (call.route === "completed" ? "unreachable" : undefined);
  const killed = launchAgentOf(server);
  const id = server.submit(shell("exit 0"));
  await server.until((call) => call.route === "completed");
  killed.child.kill("SIGKILL");
  await killed.gone;

  const calls = server.calls.length;
  server.fault = () => undefined;
  const next = launchAgentOf(server, { workdir: killed.workdir });
  const told = await server.until((call) => call.route !== "claim" && server.calls.indexOf(call) >= calls);
  expect(told).toMatchObject({ route: "completed", body: { exit_code: 0 } });
  expect(server.endOf(id)).toBe("completed");
  next.child.kill("SIGTERM");
  expect(await next.exited).toBe(0);
});

test("a completion that could not be reported before the agent was stopped is reported by the next one", async () => {
  const server = await startServer();
  server.fault = (call) => (call.route === "completed" ? "unreachable" : undefined);
  const stopped = launchAgentOf(server);
  const id = server.submit(shell("exit 0"));
  await server.until((call) => call.route === "completed");
  stopped.child.kill("SIGTERM");
  await expect.poll(() => stopped.output(), eventually).toContain("told to stop");
  stopped.child.kill("SIGTERM");
  expect(await stopped.exited).toBe(0);
  expect(server.endOf(id)).toBe(undefined);

  server.fault = () => undefined;
  const next = launchAgentOf(server, { workdir: stopped.workdir });
  await server.until((call) => call.route === "completed" && server.endOf(id) !== undefined);
  expect(server.endOf(id)).toBe("completed");
  next.child.kill("SIGTERM");
  expect(await next.exited).toBe(0);
});

test("a job that takes its agent down a second time is not given back: the API shall see that it fell silent", async () => {
  const server = await startServer();
  const workdir = temporaryDirectory();
  const id = server.submit(shell("echo > started-$(ls | grep -c started); sleep 1000"));
  for (const round of [0, 1]) {
    const agent = launchAgentOf(server, { workdir });
    if (round === 1) {
      await server.report("released", id);
      server.requeue(id);
    }
    await fileAppears(agent.path(`started-${round}`));
    agent.child.kill("SIGKILL");
    await agent.gone;
  }
  const last = launchAgentOf(server, { workdir });
  await expect.poll(() => last.output(), eventually).toContain("left to lapse");
  const other = server.submit(shell("exit 0"));
  await server.report("completed", other);
  last.child.kill("SIGTERM");
  expect(await last.exited).toBe(0);
  expect(last.output()).toContain("ended what an agent before us had left running");
  expect(server.calls.filter((call) => call.route === "released")).toHaveLength(1);
});

test("a job that fell, and is given back before its command has run again, has still fallen", async () => {
  const { held, file } = heldIn(temporaryDirectory());
  const left = { attempts: [], fallen: ["a"] };
  held.adopt(left);
  held.hold(attemptOf("a")).drop();
  expect(JSON.parse(readFileSync(file, "utf8"))).toMatchObject(left);
  const ran = held.hold(attemptOf("a"));
  ran.started({ pid: 4711, start: 1 });
  ran.drop();
  expect(existsSync(file)).toBe(false);
});

test("what was left is taken over in one write, so that no death in between forgets a part of it", async () => {
  const workdir = temporaryDirectory();
  const { held, file } = heldIn(workdir);
  const changes: (string | null)[] = [];
  const watcher = watch(workdir, (_, name) => changes.push(name));
  held.adopt({ attempts: ["a", "b", "c"].map(attemptOf), fallen: ["d"] });
  writeFileSync(join(workdir, "all-told"), "");
  await expect.poll(() => changes, eventually).toContain("all-told");
  watcher.close();
  expect(changes.filter((name) => name === heldFile)).toHaveLength(1);
  expect(JSON.parse(readFileSync(file, "utf8"))).toMatchObject({
    attempts: [{ job_id: "a" }, { job_id: "b" }, { job_id: "c" }],
    fallen: ["d"],
  });
});

test("the agent is told to stop while it reports what an earlier one left: the report has its time", async () => {
  const { server, killed, id } = await killedAtWork();
  let tries = 0;
  server.fault = (call) => (call.route === "released" && tries++ === 0 ? "unreachable" : undefined);
  const next = launchAgentOf(server, { workdir: killed.workdir });
  await server.until((call) => call.route === "released");
  next.child.kill("SIGTERM");
  expect(await next.exited).toBe(0);
  expect(server.endOf(id)).toBe("released");
});

test("an attempt that is over by now is let be, and forgotten", async () => {
  const { server, killed, id } = await killedAtWork();
  server.supersede(id);
  const next = launchAgentOf(server, { workdir: killed.workdir });
  await server.report("released", id);
  const later = server.submit(shell("exit 0"));
  await server.report("completed", later);
  next.child.kill("SIGTERM");
  expect(await next.exited).toBe(0);
  expect(server.calls.filter((call) => call.route === "released")).toHaveLength(1);
  expect(existsSync(killed.path(heldFile))).toBe(false);
});

test("a pid that is another process's by now is left alone", async () => {
  const server = await startServer();
  const id = server.submit({});
  const workdir = temporaryDirectory();
  const self = readProcess(process.pid);
  const attempt = {
    job_id: id,
    attempt: 1,
    lease_token: "token",
    run_id: "6f0f6c1e-0000-4000-8000-000000000000",
    head: { pid: process.pid, start: (self?.start ?? 0) - 1 },
  };
  const boot_id = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  writeFileSync(join(workdir, heldFile), JSON.stringify({ boot_id, attempts: [attempt] }));
  const next = launchAgentOf(server, { workdir });
  await server.report("released", id);
  next.child.kill("SIGTERM");
  expect(await next.exited).toBe(0);
  expect(next.output()).not.toContain("left running");
});

test("a file of garbage is said and overwritten", async () => {
  const server = await startServer();
  const workdir = temporaryDirectory();
  writeFileSync(join(workdir, heldFile), '{"attempts": [{}');
  const next = launchAgentOf(server, { workdir });
  const id = server.submit(shell("exit 0"));
  await server.report("completed", id);
  next.child.kill("SIGTERM");
  expect(await next.exited).toBe(0);
  expect(next.output()).toContain("what an agent before us held cannot be read");
  expect(existsSync(join(workdir, heldFile))).toBe(false);
});
