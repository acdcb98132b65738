/** Jobs of two slots whose directories overlap: never both at once, no spin, and nobody starves. */
import { existsSync, readFileSync } from "node:fs";
import { mkdir, rm, symlink, writeFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { Patience } from "../src/slots/patience.ts";
import { type DirectoryUser, SlotDirectories } from "../src/slots/slot-directories.ts";
import { startAgent } from "./agent-under-test.ts";
import { eventually, fileAppears, program, waitForFile } from "./commands.ts";

type Agent = Awaited<ReturnType<typeof startAgent>>;

const checkpointIn = (local_path: string) => ({
  during: [{ bucket: "b", prefix: `${local_path}/`, local_path, direction: "upload" as const }],
});
const outputIn = (local_path: string) => ({
  after: [{ bucket: "b", prefix: `${local_path}/`, local_path, direction: "upload" as const }],
});

/** A job that leaves `data/shared/mine` there and runs until `go` is there. */
const occupying = (agent: Agent) => ({
  sync: checkpointIn("data/shared"),
  ...program(`fs.writeFileSync("data/shared/mine", "precious"); fs.writeFileSync("started", "");
    ${waitForFile(agent.path("go"))}`),
});
const isClaimOf = (agent: Agent, id: string) =>
  agent.lines.filter(({ message, job_id }) => message === "job claimed" && job_id === id).length;

async function withOccupied(timings = {}) {
  const agent = await startAgent({
    environment: { KELPIE_SLOTS: "3" },
    timings: { occupiedHoldFirstMs: 50, occupiedHoldCapMs: 400, occupiedPauseMs: 10, ...timings },
  });
  agent.server.requeues = true;
  const firstId = agent.server.submit(occupying(agent));
  await fileAppears(agent.path("started"));
  return { agent, firstId };
}

test("a job whose directory lies in a running one's is given back with the reason; nothing there is touched", async () => {
  const { agent, firstId } = await withOccupied();
  const id = agent.server.submit({ sync: checkpointIn("data/shared/inner"), ...program("") });
  const report = await agent.server.report("released", id);
  for (const part of [firstId, id, agent.path("data/shared"), agent.path("data/shared/inner"), "slot"])
    expect(report.reason).toContain(part);
  expect(report.exit_code).toBeUndefined();
  expect(existsSync(agent.path("data/shared/inner"))).toBe(false);
  expect(readFileSync(agent.path("data/shared/mine"), "utf8")).toBe("precious");
  await writeFile(agent.path("go"), "");
  await agent.server.report("completed", firstId);
  await agent.server.report("completed", id);
  expect(agent.transfers.objects.get("b/data/shared/mine")).toBe("precious");
});

test("each time it comes back it is held longer, so that it does not go round in circles; meanwhile others run", async () => {
  const { agent, firstId } = await withOccupied();
  const id = agent.server.submit({ sync: checkpointIn("data"), ...program("") });
  const holds = () =>
    agent.lines
      .filter(({ message, job_id }) => message === "waiting for a directory" && job_id === id)
      .map((line) => line.at_most_seconds);
  await expect.poll(() => holds().length, eventually).toBeGreaterThanOrEqual(5);
  expect(holds().slice(0, 5)).toEqual([0.05, 0.1, 0.2, 0.4, 0.4]);
  // Queued behind the one that cannot run: the third slot gets to it.
  const behindId = agent.server.submit({ sync: checkpointIn("elsewhere"), ...program("") });
  await agent.server.report("completed", behindId);
  await writeFile(agent.path("go"), "");
  await agent.server.report("completed", firstId);
  await agent.server.report("completed", id);
});

test("given back, it is another agent's turn: no slot of this one claims for a while", async () => {
  const { agent } = await withOccupied({ occupiedPauseMs: 3_600_000 });
  const id = agent.server.submit({ sync: checkpointIn("data"), ...program("") });
  await agent.server.report("released", id);
  // Many polls long.
  await new Promise((resolve) => setTimeout(resolve, 1000));
  expect(isClaimOf(agent, id)).toBe(1);
});

test("who is just ending is waited for: the job runs here, in one attempt", async () => {
  const { agent, firstId } = await withOccupied({
    occupiedHoldFirstMs: 3_600_000,
    occupiedHoldCapMs: 3_600_000,
  });
  const id = agent.server.submit({
    sync: checkpointIn("data"),
    ...program(`fs.writeFileSync("data/b", "")`),
  });
  await agent.logged("waiting for a directory");
  await writeFile(agent.path("go"), "");
  await agent.server.report("completed", firstId);
  expect(await agent.server.report("completed", id)).toMatchObject({ attempt: 1 });
});

test("a job that waits for a directory ends at once with its lease, and with the agent", async () => {
  const { agent } = await withOccupied({ occupiedHoldFirstMs: 3_600_000, occupiedHoldCapMs: 3_600_000 });
  const lostId = agent.server.submit({ sync: checkpointIn("data"), ...program("") });
  await agent.logged("waiting for a directory");
  agent.server.supersede(lostId, "canceled");
  agent.sleep(60_000); // makes it renew now
  expect(await agent.logged("attempt canceled")).toMatchObject({ job_id: lostId, severity: "INFO" });
  const id = agent.server.submit({ sync: checkpointIn("data"), ...program("") });
  await expect.poll(() => isClaimOf(agent, id), eventually).toBe(1);
  agent.shutdown.request();
  await agent.running;
  const report = await agent.server.report("released", id);
  expect(report.reason).toBe("the agent was told to stop");
});

test("a job that would clear outputs which still upload is given back, and says whose they are", async () => {
  const agent = await startAgent({
    environment: { KELPIE_SLOTS: "2" },
    timings: { occupiedHoldFirstMs: 50, occupiedPauseMs: 10 },
  });
  agent.server.requeues = true;
  const uploads = agent.transfers.holdUploads();
  const firstId = agent.server.submit({
    sync: outputIn("data/out"),
    ...program(`fs.writeFileSync("data/out/file", "content")`),
  });
  await uploads.begun;
  const id = agent.server.submit({ sync: checkpointIn("data"), ...program("") });
  // At first the other slot may still be clearing.
  const why = `job ${firstId}, whose outputs still upload`;
  const given = await agent.server.until(
    (call) => call.route === "released" && call.jobId === id && !!call.body.reason?.includes(why),
  );
  expect(given.route === "released" && given.body.reason).toContain(agent.path("data/out"));
  uploads.goOn();
  await agent.server.report("completed", firstId);
  await agent.server.report("completed", id);
  expect(agent.transfers.objects.get("b/data/out/file")).toBe("content");
});

test("the environment's directories of another slot are as little a job's to clear", async () => {
  const agent = await startAgent({
    environment: { KELPIE_SLOTS: "2" },
    timings: { occupiedHoldFirstMs: 50, occupiedPauseMs: 3_600_000 },
  });
  agent.server.submit(
    program(`fs.writeFileSync(path.join(process.env.OUTPUT_DIR, "scratch"), "");
      fs.writeFileSync("started", process.env.OUTPUT_DIR); ${waitForFile(agent.path("go"))}`),
  );
  await fileAppears(agent.path("started"));
  const { reason } = await agent.server.report(
    "released",
    agent.server.submit({ sync: checkpointIn("output"), ...program("") }),
  );
  expect(reason).toContain(`its directory ${agent.path("output")} overlaps`);
  expect(existsSync(`${await agent.read("started")}/scratch`)).toBe(true);
  await writeFile(agent.path("go"), "");
});

test("a command that turns its directory into a link to another slot's has nothing there cleared", async () => {
  const { agent, firstId } = await withOccupied();
  const id = agent.server.submit({
    sync: checkpointIn("data2"),
    ...program(`fs.rmdirSync("data2"); fs.symlinkSync("data/shared", "data2")`),
  });
  await agent.server.report("completed", id);
  // The next job of this slot has been through its clearing.
  await agent.server.report("completed", agent.server.submit({ sync: {}, ...program("") }));
  expect(readFileSync(agent.path("data/shared/mine"), "utf8")).toBe("precious");
  await rm(agent.path("data2"));
  await writeFile(agent.path("go"), "");
  await agent.server.report("completed", firstId);
});

test("a directory behind a link is the one it leads to", async () => {
  const { agent, firstId } = await withOccupied();
  await mkdir(agent.path("alias"));
  await symlink(agent.path("data"), agent.path("alias/data"));
  const id = agent.server.submit({ sync: checkpointIn("alias/data/shared"), ...program("") });
  // Before anything is made in it.
  expect(await agent.logged("waiting for a directory")).toMatchObject({ job_id: id, attempt: 1 });
  expect((await agent.server.report("released", id)).reason).toContain(agent.path("data/shared"));
  await writeFile(agent.path("go"), "");
  await agent.server.report("completed", firstId);
  await agent.server.report("completed", id);
});

test("whoever waits for directories is served in turn, and holds none meanwhile", async () => {
  const directories = new SlotDirectories();
  const user = (slot: number): DirectoryUser => ({ jobId: `job-${slot}`, slot });
  const forever = new AbortController().signal;
  const order: number[] = [];
  const take = async (slot: number, ...paths: string[]) => {
    const release = await directories.take(paths, user(slot), forever, () => {});
    order.push(slot);
    return release;
  };
  const release = await take(0, "/a");
  const second = take(1, "/a/deep", "/b");
  const third = take(2, "/a");
  // The second waits for /a and so does not hold /b.
  await (await take(3, "/b"))();
  release();
  (await second)();
  (await third)();
  expect(order).toEqual([0, 3, 1, 2]);
});

test("patience doubles up to its cap, ends when the job runs, and remembers boundedly many jobs", () => {
  const patience = new Patience({ occupiedHoldFirstMs: 10, occupiedHoldCapMs: 50 });
  const holds = Array.from({ length: 4 }, () => {
    const holdMs = patience.holdMs("a");
    patience.refused("a");
    return holdMs;
  });
  expect(holds).toEqual([10, 20, 40, 50]);
  patience.ran("a");
  expect(patience.holdMs("a")).toBe(10);
  patience.refused("b");
  for (let number = 0; number < 100; number++) patience.refused(`job-${number}`);
  expect(patience.holdMs("b")).toBe(10);
  expect(patience.holdMs("job-99")).toBe(20);
});
