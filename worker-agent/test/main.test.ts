/** The agent as the process that a container starts. */
import { once } from "node:events";
import { expect, test } from "vitest";
import { isGroupAlive } from "../src/process-group.ts";
import { version } from "../src/version.ts";
import { launch, launchAgentOf, startServer } from "./agent-process.ts";
import { fileAppears, program } from "./commands.ts";

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

async function launchAgent() {
  const server = await startServer();
  return { ...launchAgentOf(server), server };
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

test("what a command has written is not lost at the agent's end, though the container's log is slow to take it", async () => {
  const { child, exited, output, server } = await launchAgent();
  server.submit(program('process.stdout.write("x".repeat(2_000_000) + "\\nthe last line\\n")'));
  child.stdout?.pause();
  await server.until((call) => call.route === "completed");
  child.kill("SIGTERM");
  setTimeout(() => child.stdout?.resume(), 300);
  expect(await exited).toBe(0);
  expect(output()).toContain("\nthe last line\n");
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
  const { exited, output } = launch({
    environment: { KELPIE_API_URL: "https://kelpie.example", MAX_RETRIES: "many" },
  });
  expect(await exited).toBe(78);
  const { severity, message } = JSON.parse(output());
  expect(severity).toBe("ERROR");
  for (const name of ["MAX_RETRIES", "SALAD_MACHINE_ID", "KELPIE_API_KEY or SALAD_API_KEY"]) {
    expect(message).toContain(name);
  }
});

test("a variable that is misspelt is warned of in one line, and the agent starts", async () => {
  const server = await startServer();
  const { child, exited, output } = launchAgentOf(server, { environment: { KELPIE_SLOT: "4" } });
  await server.until((call) => call.route === "claim");
  child.kill("SIGTERM");
  expect(await exited).toBe(0);
  const warnings = output()
    .split("\n")
    .filter((line) => line.includes("KELPIE_SLOT"));
  expect(warnings.map((line) => JSON.parse(line))).toMatchObject([
    { severity: "WARN", message: "doubtful configuration: KELPIE_SLOT is not read: is KELPIE_SLOTS meant?" },
  ]);
});

test("--version and --help need no configuration", async () => {
  const told = launch({ environment: {}, args: ["--version"] });
  expect(await told.exited).toBe(0);
  expect(told.output()).toBe(`${version}\n`);
  const helped = launch({ environment: {}, args: ["--help"] });
  expect(await helped.exited).toBe(0);
  expect(helped.output()).toContain("KELPIE_API_URL");
});

test("called in a way that makes no sense: usage on stderr, exit 64, and no agent", async () => {
  const { exited, output } = launch({ environment: {}, args: ["start"] });
  expect(await exited).toBe(64);
  expect(output()).toMatch(/^kelpie: "start" is no command\n/);
});

test("check tells what is wrong, line by line, and exits 1", async () => {
  const { exited, output } = launch({
    environment: { KELPIE_API_URL: "https://kelpie.example" },
    args: ["check"],
  });
  expect(await exited).toBe(1);
  expect(output()).toMatch(/^failed {2}configuration .*\n/);
});

test("SIGTERM while the program still loads: exit 0, not death by signal", async () => {
  const server = await startServer();
  const { child, exited } = launchAgentOf(server, {
    environment: { NODE_OPTIONS: `--import=${slowLoading}` },
  });
  await once(child.stderr ?? child, "data");
  child.kill("SIGTERM");
  expect(await exited).toBe(0);
  expect(server.calls.some((call) => call.route === "claim")).toBe(false);
});

test("a state file below /proc, where none can be, is refused in one line, and exits 78", async () => {
  const server = await startServer();
  const path = "/proc/none/kelpie-state.json";
  const { exited, output } = launchAgentOf(server, { environment: { KELPIE_STATE_FILE: path } });
  expect(await exited).toBe(78);
  expect(output()).toContain(`KELPIE_STATE_FILE: ${path} cannot be: its directory cannot be made (ENOENT`);
  expect(server.calls).toEqual([]);
});

test("a second agent with the first one's state file says so in one line, and exits 78", async () => {
  const { path, server } = await launchAgent();
  await server.until((call) => call.route === "claim");
  const { exited, output } = launchAgentOf(server, {
    environment: { SALAD_MACHINE_ID: "machine-2", KELPIE_STATE_FILE: path("kelpie-state.json") },
  });
  expect(await exited).toBe(78);
  expect(output()).toContain("KELPIE_STATE_FILE");
});
