/** Two jobs at once on one machine, with real processes: in one agent of two slots, and the old way in two agents. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { ApiServer } from "./api-server.ts";
import { fileAppears, program, waitForFile } from "./commands.ts";

const main = fileURLToPath(new URL("../src/main.ts", import.meta.url));

async function setUp() {
  const server = await ApiServer.start();
  const workdir = mkdtempSync(join(tmpdir(), "kelpie-slots-"));
  onTestFinished(() => {
    server.stop();
    rmSync(workdir, { recursive: true, force: true });
  });
  const launch = (environment: NodeJS.ProcessEnv) => {
    const child = spawn(process.execPath, [main], {
      cwd: workdir,
      env: {
        PATH: process.env.PATH,
        KELPIE_API_URL: server.url,
        KELPIE_API_KEY: "a-key-of-the-tests",
        SALAD_MACHINE_ID: "one-machine",
        SALAD_CONTAINER_GROUP_ID: "group",
        INPUT_DIR: "in",
        OUTPUT_DIR: "out",
        CHECKPOINT_DIR: "check",
        ...environment,
      },
      stdio: "ignore",
    });
    const exited = once(child, "close").then(([code]) => code as number | null);
    onTestFinished(async () => {
      child.kill("SIGKILL");
      await exited;
    });
    return { child, exited };
  };
  /** Runs until both jobs have been seen to run at the same time. */
  const together = (name: string, other: string) =>
    server.submit(program(`fs.writeFileSync("${name}", ""); ${waitForFile(join(workdir, other))}`));
  return { server, launch, together, path: (name: string) => join(workdir, name) };
}

test("one agent with two slots runs two jobs at once, and gives both back on SIGTERM", async () => {
  const { server, launch, together, path } = await setUp();
  const agent = launch({ KELPIE_SLOTS: "2" });
  const ids = [together("a", "b"), together("b", "a")];
  for (const id of ids) await server.report("completed", id);
  const more = [together("c", "never"), together("d", "never")];
  await Promise.all([fileAppears(path("c")), fileAppears(path("d"))]);
  agent.child.kill("SIGTERM");
  expect(await agent.exited).toBe(0);
  expect(more.map((id) => server.endOf(id))).toEqual(["released", "released"]);
});

test("two agents of one machine id with their own state files run two jobs at once", async () => {
  const { server, launch, together, path } = await setUp();
  const agents = ["one", "two"].map((name) =>
    launch({ KELPIE_STATE_FILE: `${name}.json`, INPUT_DIR: `in-${name}`, OUTPUT_DIR: `out-${name}` }),
  );
  const ids = [together("a", "b"), together("b", "a")];
  for (const id of ids) await server.report("completed", id);
  for (const { child } of agents) child.kill("SIGTERM");
  expect(await Promise.all(agents.map(({ exited }) => exited))).toEqual([0, 0]);
  const ranBy = ["one", "two"].map((name) =>
    JSON.parse(readFileSync(path(`${name}.json`), "utf8")).jobs.map(({ id }: { id: string }) => id),
  );
  expect(ranBy.flat().sort()).toEqual([...ids].sort());
  expect(ranBy.map((jobs) => jobs.length)).toEqual([1, 1]);
});
