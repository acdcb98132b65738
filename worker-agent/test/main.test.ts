/** The agent as the process that a container starts. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { isGroupAlive } from "../src/process-group.ts";
import { version } from "../src/version.ts";
import { ApiServer } from "./api-server.ts";
import { fileAppears, program } from "./commands.ts";

const main = fileURLToPath(new URL("../src/main.ts", import.meta.url));

/** Tells when the program begins to load its dependencies, and takes its time with the first of them. */
const slowLoading = `data:text/javascript,${encodeURIComponent(`
  import { registerHooks } from "node:module";
  let told = false;
  const tell = () => {
    told = true;
    process.stderr.write("loading");
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300);
  };
  registerHooks({
    load(url, context, next) {
      if (url.includes("node_modules") && !told) tell();
      return next(url, context);
    },
  });
`)}`;

/** Nothing listens there: the real address may be another cloud's. */
const noService = "http://127.0.0.1:9";

function launch(environment: NodeJS.ProcessEnv, args: string[] = []) {
  const workdir = mkdtempSync(join(tmpdir(), "kelpie-main-"));
  const child: ChildProcess = spawn(process.execPath, [main, ...args], {
    cwd: workdir,
    env: {
      PATH: process.env.PATH,
      INPUT_DIR: "in",
      OUTPUT_DIR: "out",
      CHECKPOINT_DIR: "check",
      ...environment,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  child.stdout?.on("data", (chunk) => (output += chunk));
  child.stderr?.on("data", (chunk) => (output += chunk));
  const exited = once(child, "close").then(([code]) => code as number | null);
  onTestFinished(async () => {
    child.kill("SIGKILL");
    await exited;
    rmSync(workdir, { recursive: true, force: true });
  });
  return { child, exited, output: () => output, path: (name: string) => join(workdir, name) };
}

async function launchAgent() {
  const server = await ApiServer.start();
  onTestFinished(() => server.stop());
  const agent = launch({
    KELPIE_API_URL: server.url,
    KELPIE_IMDS_URL: noService,
    KELPIE_API_KEY: "a-key-of-the-tests",
    SALAD_MACHINE_ID: "machine-1",
    SALAD_INSTANCE_ID: "instance-1",
    SALAD_CONTAINER_GROUP_ID: "group",
  });
  return { ...agent, server };
}

test("SIGTERM: the command is interrupted with all it started, the job is released, exit 0", async () => {
  const { child, exited, output, path, server } = await launchAgent();
  const id = server.submit(
    program(`
      process.on("SIGTERM", () => {});
      require("child_process").spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "ignore" });
      process.once("SIGTERM", () => { fs.writeFileSync("interrupted", ""); process.exit(1); });
      console.log("the job says hello");
      fs.writeFileSync("pid.tmp", String(process.pid)); fs.renameSync("pid.tmp", "pid");
      setInterval(() => {}, 1000);
    `),
  );
  await fileAppears(path("pid"));
  child.kill("SIGTERM");
  expect(await exited).toBe(0);
  expect(server.endOf(id)).toBe("released");
  expect(output()).toContain("the job says hello");
  expect(output()).not.toContain("a-key-of-the-tests");
  const started = /"command started".*?"pid":(\d+)/.exec(output());
  expect(isGroupAlive(Number(started?.[1]))).toBe(false);
  const [claim] = server.calls;
  expect(claim).toMatchObject({
    query: { instance_id: "instance-1" },
    headers: { "x-kelpie-key": "a-key-of-the-tests" },
  });
});

test("a job that fails does not make the agent fail", async () => {
  const { child, exited, server } = await launchAgent();
  const failedId = server.submit(program("process.exit(9)"));
  await server.report("failed", failedId);
  const nextId = server.submit(program(""));
  await server.report("completed", nextId);
  child.kill("SIGINT");
  expect(await exited).toBe(0);
});

test("an unusable configuration is said in one line that names every variable, and exits 78", async () => {
  const { exited, output } = launch({ KELPIE_API_URL: "https://kelpie.example", MAX_RETRIES: "many" });
  expect(await exited).toBe(78);
  const { severity, message } = JSON.parse(output());
  expect(severity).toBe("ERROR");
  for (const name of ["MAX_RETRIES", "SALAD_MACHINE_ID", "KELPIE_API_KEY or SALAD_API_KEY"]) {
    expect(message).toContain(name);
  }
});

test("--version and --help need no configuration", async () => {
  const told = launch({}, ["--version"]);
  expect(await told.exited).toBe(0);
  expect(told.output()).toBe(`${version}\n`);
  const helped = launch({}, ["--help"]);
  expect(await helped.exited).toBe(0);
  expect(helped.output()).toContain("KELPIE_API_URL");
});

test("SIGTERM while the program still loads: exit 0, not death by signal", async () => {
  const server = await ApiServer.start();
  onTestFinished(() => server.stop());
  const { child, exited } = launch({
    KELPIE_API_URL: server.url,
    KELPIE_IMDS_URL: noService,
    KELPIE_API_KEY: "a-key-of-the-tests",
    SALAD_MACHINE_ID: "machine-1",
    SALAD_CONTAINER_GROUP_ID: "group",
    NODE_OPTIONS: `--import=${slowLoading}`,
  });
  await once(child.stderr ?? child, "data");
  child.kill("SIGTERM");
  expect(await exited).toBe(0);
  expect(server.calls.some((call) => call.route === "claim")).toBe(false);
});

test("a second agent with the first one's state file says so in one line, and exits 78", async () => {
  const { path, server } = await launchAgent();
  await server.until((call) => call.route === "claim");
  const { exited, output } = launch({
    KELPIE_API_URL: server.url,
    KELPIE_IMDS_URL: noService,
    KELPIE_API_KEY: "a-key-of-the-tests",
    SALAD_MACHINE_ID: "machine-2",
    SALAD_CONTAINER_GROUP_ID: "group",
    KELPIE_STATE_FILE: path("kelpie-state.json"),
  });
  expect(await exited).toBe(78);
  expect(output()).toContain("KELPIE_STATE_FILE");
});
