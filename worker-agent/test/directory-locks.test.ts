/** Agents that share a machine: neither clears what the other one uses. */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { ConfigError } from "../src/config.ts";
import { DirectoryLocks, PathBusy, startOf } from "../src/directory-locks.ts";
import { createLog } from "../src/log.ts";
import { holdStateFile } from "../src/state-file-hold.ts";
import { startAgent } from "./agent-under-test.ts";
import { program } from "./commands.ts";

const log = createLog({ level: "silent" });

function setUp() {
  const root = mkdtempSync(join(tmpdir(), "kelpie-locks-of-a-test-"));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  return { root, place: join(root, "locks") };
}

/** A process that stands for another agent. */
async function otherProcess() {
  const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "ignore" });
  await once(child, "spawn");
  onTestFinished(() => void child.kill("SIGKILL"));
  const pid = child.pid ?? 0;
  const holder = { pid, started: (await startOf(pid)) ?? "" };
  const exited = once(child, "exit");
  const kill = async () => {
    child.kill("SIGKILL");
    await exited;
  };
  return { holder, kill };
}

test("a directory in use is refused to another agent, and so is one inside or around it", async () => {
  const { place } = setUp();
  const [one, other] = [new DirectoryLocks(log, place), new DirectoryLocks(log, place)];
  const release = await one.take(["/data/job", "/data/checkpoint"]);
  for (const path of ["/data/job", "/data", "/data/checkpoint/deep"]) {
    const refusal = other.take(["/free", path]);
    await expect(refusal, path).rejects.toThrow(PathBusy);
    await expect(refusal, path).rejects.toThrow(`${path} is in use by another agent`);
    await expect(refusal, path).rejects.toThrow(String(process.pid));
  }
  await (await other.take(["/data/job-2", "/free"]))();
  // The agent that holds it may hold it once more.
  await (await one.take(["/data"]))();
  await release();
  await (await other.take(["/data"]))();
  expect(readdirSync(place)).toEqual([]);
});

test("a pipe where a live process's hold would be keeps nobody waiting", async () => {
  const { place } = setUp();
  const { holder } = await otherProcess();
  const other = new DirectoryLocks(log, place, holder);
  const release = await other.take(["/data"]);
  const [name = ""] = readdirSync(place);
  await release();
  execFileSync("mkfifo", [join(place, name)]);
  await (await new DirectoryLocks(log, place).take(["/data"]))();
});

test("what a dead agent held is free, also when its process id has come back", async () => {
  const { place } = setUp();
  const { holder, kill } = await otherProcess();
  await new DirectoryLocks(log, place, holder).take(["/data"]);
  await new DirectoryLocks(log, place, { ...holder, started: `${holder.started}0` }).take(["/reborn"]);
  const locks = new DirectoryLocks(log, place);
  await expect(locks.take(["/data"])).rejects.toThrow(PathBusy);
  await (await locks.take(["/reborn"]))();
  await kill();
  await (await locks.take(["/data"]))();
  expect(readdirSync(place)).toEqual([]);
});

test("of agents that want one directory at the same moment never two get it", async () => {
  const { place } = setUp();
  for (let round = 0; round < 20; round += 1) {
    const takes = await Promise.allSettled(
      Array.from({ length: 4 }, () => new DirectoryLocks(log, place).take(["/data"])),
    );
    const got = takes.flatMap((take) => (take.status === "fulfilled" ? [take.value] : []));
    expect(got.length).toBeLessThanOrEqual(1);
    for (const release of got) await release();
  }
});

test("where nothing can be locked, work goes on without", async () => {
  const { root } = setUp();
  writeFileSync(join(root, "file"), "");
  await (await new DirectoryLocks(log, join(root, "file/locks")).take(["/data"]))();
});

test("a second agent with the same state file is told to name another one", async () => {
  const { root, place } = setUp();
  const path = join(root, "state/state.json");
  const release = await holdStateFile(new DirectoryLocks(log, place), path);
  const second = holdStateFile(new DirectoryLocks(log, place), path);
  await expect(second).rejects.toThrow(ConfigError);
  await expect(second).rejects.toThrow(/KELPIE_STATE_FILE.*process \d+/);
  await release();
  await (await holdStateFile(new DirectoryLocks(log, place), path))();
});

test("a job whose directory another agent uses is given back, with the reason; nothing is cleared", async () => {
  const agent = await startAgent({ timings: { faultPauseFirstMs: 60_000, faultPauseCapMs: 60_000 } });
  const other = new DirectoryLocks(log);
  mkdirSync(agent.path("shared/inner"), { recursive: true });
  writeFileSync(agent.path("shared/inner/checkpoint"), "the other agent's");
  const release = await other.take([agent.path("shared/inner")]);
  const id = agent.server.submit({
    sync: { after: [{ bucket: "b", prefix: "", local_path: "shared", direction: "upload" as const }] },
    ...program(""),
  });
  const report = await agent.server.report("released", id);
  expect(report.reason).toContain(`${agent.path("shared")} is in use by another agent`);
  expect(report.reason).toContain(`process ${process.pid}`);
  expect(report.reason).not.toContain("the agent erred");
  expect(existsSync(agent.path("shared/inner/checkpoint"))).toBe(true);
  await release();
});

test("an agent's directories of older jobs are not cleared while another agent uses them", async () => {
  const { root } = setUp();
  const input = join(root, "input");
  mkdirSync(input);
  writeFileSync(join(input, "data"), "the other agent's");
  const release = await new DirectoryLocks(log).take([input]);
  const agent = await startAgent({ environment: { INPUT_DIR: input } });
  await agent.logged("directory of older jobs is not usable");
  // Once the second one runs, the directories have been cleared after the first.
  for (const id of [agent.server.submit(program("")), agent.server.submit(program(""))])
    await agent.server.report("completed", id);
  expect(existsSync(join(input, "data"))).toBe(true);
  await release();
});

test("while outputs moved aside upload, the directory they lie in is held", async () => {
  const agent = await startAgent();
  const uploads = agent.transfers.holdUploads();
  const id = agent.server.submit({
    sync: { after: [{ bucket: "b", prefix: "", local_path: "data/out", direction: "upload" as const }] },
    ...program(`fs.writeFileSync("data/out/file", "content")`),
  });
  await uploads.begun;
  // A job after it: by then the first one's own directories are free again.
  await agent.server.report("completed", agent.server.submit(program("")));
  const other = new DirectoryLocks(log);
  await expect(other.take([agent.path("data")])).rejects.toThrow(PathBusy);
  await (await other.take([agent.path("data/out")]))();
  uploads.goOn();
  await agent.server.report("completed", id);
});
