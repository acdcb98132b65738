/** Several jobs at once in one agent: what each has of its own, and what they share. */
import { readdir, writeFile } from "node:fs/promises";
import { expect, test, vi } from "vitest";
import { TransferError } from "../src/transfer/ports.ts";
import { startAgent } from "./agent-under-test.ts";
import type { Call } from "./api-server.ts";
import { checkpointRules } from "./checkpoint-rules.ts";
import { eventually, fileAppears, program, waitForFile } from "./commands.ts";

type Agent = Awaited<ReturnType<typeof startAgent>>;

const claimsOf = (agent: Agent) => agent.server.calls.filter(({ route }) => route === "claim").length;
const renewals = (call: Call) => (call.route === "renew" ? call.body.leases.length : 0);

/** A job that writes `started-NAME` and runs until `go-NAME` is there. */
function waiting(agent: Agent, name: string, more = "") {
  return program(`${more} fs.writeFileSync("started-${name}", ""); ${waitForFile(agent.path(`go-${name}`))}`);
}

const started = (agent: Agent, name: string) => fileAppears(agent.path(`started-${name}`));
const go = (agent: Agent, name: string) => writeFile(agent.path(`go-${name}`), "");

test("as many jobs at once as there are slots, each told its own slot, directories and GPUs; one call renews all", async () => {
  const agent = await startAgent({
    environment: { KELPIE_SLOTS: "2" },
    node: { facts: {}, gpuCount: 4 },
  });
  expect(await agent.logged("several jobs at once")).toMatchObject({
    slots: 2,
    gpus: 4,
    gpus_each: "slot 0: 0,1; slot 1: 2,3",
  });
  vi.stubEnv("CUDA_VISIBLE_DEVICES", undefined);
  const ids = ["a", "b"].map((name) =>
    agent.server.submit(
      waiting(
        agent,
        name,
        `const { KELPIE_SLOT, CUDA_VISIBLE_DEVICES, INPUT_DIR, OUTPUT_DIR, CHECKPOINT_DIR } = process.env;
         fs.writeFileSync(path.join(OUTPUT_DIR, "mine"), "");
         fs.writeFileSync("env-" + KELPIE_SLOT, JSON.stringify({ CUDA_VISIBLE_DEVICES, INPUT_DIR, OUTPUT_DIR, CHECKPOINT_DIR }));`,
      ),
    ),
  );
  await Promise.all([started(agent, "a"), started(agent, "b")]);
  for (const [slot, gpus] of ["0,1", "2,3"].entries()) {
    expect(JSON.parse(await agent.read(`env-${slot}`))).toEqual({
      CUDA_VISIBLE_DEVICES: gpus,
      INPUT_DIR: agent.path(`input/slot-${slot}`),
      OUTPUT_DIR: agent.path(`output/slot-${slot}`),
      CHECKPOINT_DIR: agent.path(`checkpoint/slot-${slot}`),
    });
  }
  const { jobs } = await agent.state();
  expect(jobs.map(({ slot }: { slot: number }) => slot).sort()).toEqual([0, 1]);
  const before = agent.server.calls.length;
  agent.sleep(60_000); // makes it renew now
  await agent.server.until((call) => agent.server.calls.indexOf(call) >= before && renewals(call) === 2);
  await go(agent, "a");
  await agent.server.report("completed", ids[0] as string);
  // Clearing after the one job leaves the other's directory alone.
  const own = jobs.find(({ id }: { id: string }) => id === ids[0]).slot;
  const leftOf = (slot: number) => readdir(agent.path(`output/slot-${slot}`));
  await expect.poll(() => leftOf(own), eventually).toEqual([]);
  expect(await leftOf(1 - own)).toEqual(["mine"]);
  await go(agent, "b");
  await agent.server.report("completed", ids[1] as string);
});

test("GPUs that the container or the job chose stay chosen, and one slot sees all of them", async () => {
  vi.stubEnv("CUDA_VISIBLE_DEVICES", undefined);
  const tell = program(`fs.writeFileSync("gpus", String(process.env.CUDA_VISIBLE_DEVICES))`);
  const node = { facts: {}, gpuCount: 8 };
  const several = await startAgent({ environment: { KELPIE_SLOTS: "2" }, node });
  const told = async (agent: Agent, environment: Record<string, string>) => {
    await agent.server.report("completed", agent.server.submit({ ...tell, environment }));
    return agent.read("gpus");
  };
  expect(await told(several, {})).toMatch(/^(0,1,2,3|4,5,6,7)$/);
  expect(await told(several, { CUDA_VISIBLE_DEVICES: "7" })).toBe("7");
  vi.stubEnv("CUDA_VISIBLE_DEVICES", "");
  expect(await told(several, {})).toBe("");
  vi.stubEnv("CUDA_VISIBLE_DEVICES", undefined);
  expect(await told(await startAgent({ node }), {})).toBe("undefined");
});

test("however many slots are free, one looks for work", async () => {
  const agent = await startAgent({ environment: { KELPIE_SLOTS: "4" }, sockets: {} });
  const socket = await agent.sockets.socket(1);
  await agent.sockets.said(socket, "waiting");
  const idle = claimsOf(agent);
  const id = agent.server.submit(waiting(agent, "a"));
  socket.tell({ type: "wake" });
  await started(agent, "a");
  await agent.sockets.said(socket, "waiting", 2);
  // The claim that got the job, and that of the next slot.
  expect(claimsOf(agent)).toBe(idle + 2);
  await go(agent, "a");
  await agent.server.report("completed", id);
});

test("claims of several slots come one after the other, each with an id of its own", async () => {
  const agent = await startAgent({ environment: { KELPIE_SLOTS: "3" } });
  let under = 0;
  let most = 0;
  agent.server.fault = async (call) => {
    if (call.route !== "claim") return undefined;
    most = Math.max(most, ++under);
    await new Promise((resolve) => setTimeout(resolve, 20));
    under -= 1;
    return undefined;
  };
  const ids = Array.from({ length: 9 }, () => agent.server.submit(program("")));
  for (const id of ids) await agent.server.report("completed", id);
  expect(most).toBe(1);
  const claimIds = agent.server.calls.map((call) => call.route === "claim" && call.query.claim_id);
  expect(new Set(claimIds.filter(Boolean)).size).toBe(claimsOf(agent));
});

test("a job that is canceled ends alone", async () => {
  const agent = await startAgent({ environment: { KELPIE_SLOTS: "2" } });
  const lostId = agent.server.submit(waiting(agent, "lost"));
  const id = agent.server.submit(waiting(agent, "kept"));
  await Promise.all([started(agent, "lost"), started(agent, "kept")]);
  agent.server.supersede(lostId, "canceled");
  agent.sleep(60_000); // makes it renew now
  expect(await agent.logged("attempt canceled")).toMatchObject({ job_id: lostId, severity: "INFO" });
  await go(agent, "kept");
  expect(await agent.server.report("completed", id)).toMatchObject({ exit_code: 0 });
});

test("SIGTERM: the jobs of all slots are given back", async () => {
  const agent = await startAgent({ environment: { KELPIE_SLOTS: "2" } });
  const saving = (name: string) =>
    waiting(
      agent,
      name,
      `process.on("SIGTERM", () => { fs.writeFileSync("data/${name}/last", "saved"); process.exit(0); });`,
    );
  const rules = (name: string) => ({
    sync: {
      during: [{ bucket: "b", prefix: `${name}/`, local_path: `data/${name}`, direction: "upload" as const }],
    },
  });
  const ids = ["a", "b"].map((name) => agent.server.submit({ ...rules(name), ...saving(name) }));
  await Promise.all([started(agent, "a"), started(agent, "b")]);
  agent.shutdown.request();
  await agent.running;
  expect(ids.map((id) => agent.server.endOf(id))).toEqual(["released", "released"]);
  expect(Object.fromEntries(agent.transfers.objects)).toEqual({ "b/a/last": "saved", "b/b/last": "saved" });
});

test("an agent ends for want of work only once no slot has any", async () => {
  const agent = await startAgent({ environment: { KELPIE_SLOTS: "2", MAX_TIME_WITH_NO_WORK_S: "1" } });
  const id = agent.server.submit(waiting(agent, "a"));
  await started(agent, "a");
  // Far more than a second without work for the other slot.
  const claims = claimsOf(agent);
  await expect.poll(() => claimsOf(agent), eventually).toBeGreaterThan(claims + 20);
  expect(agent.lines.some(({ message }) => message.includes("no work for as long"))).toBe(false);
  await go(agent, "a");
  await agent.running;
  expect(agent.server.endOf(id)).toBe("completed");
  expect(agent.lines.filter(({ message }) => message.includes("no work for as long")).length).toBe(1);
});

test("running jobs and uploads together hold at most two leases for each slot", async () => {
  const agent = await startAgent({ environment: { KELPIE_SLOTS: "2" } });
  const uploads = agent.transfers.holdUploads(4);
  const job = (name: string) => ({
    sync: { after: [{ bucket: "b", prefix: "", local_path: `data/${name}`, direction: "upload" as const }] },
    ...program(""),
  });
  const ids = ["a", "b", "c", "d", "e", "f"].map((name) => agent.server.submit(job(name)));
  await uploads.begun;
  const before = agent.server.calls.length;
  agent.sleep(60_000); // makes it renew now
  await agent.server.until((call) => agent.server.calls.indexOf(call) >= before && renewals(call) > 0);
  uploads.goOn();
  for (const id of ids) await agent.server.report("completed", id);
  expect(Math.max(...agent.server.calls.map(renewals))).toBe(4);
});

test("a slot whose loop errs reports nothing false, lets its lease go, and leaves the other's job alone", async () => {
  const agent = await startAgent({ environment: { KELPIE_SLOTS: "2" } });
  const keptId = agent.server.submit(waiting(agent, "kept"));
  await started(agent, "kept");
  // What no layer expects: the state of an attempt cannot even be begun.
  const { begin } = (await import("../src/state-file.ts")).StateFile.prototype;
  const spy = vi.spyOn((await import("../src/state-file.ts")).StateFile.prototype, "begin");
  const unlucky = 3; // more than the leases that are left: those must be free again
  let erred = 0;
  spy.mockImplementation(function (this: never, ...given) {
    if (erred === unlucky) return begin.call(this, ...given);
    erred += 1;
    throw new Error("out of luck");
  });
  const unluckyIds = Array.from({ length: unlucky }, () => agent.server.submit(program("")));
  expect(await agent.logged("a slot erred")).toMatchObject({ reason: "out of luck", errors: 1 });
  const nextId = agent.server.submit(program(""));
  await agent.server.report("completed", nextId);
  spy.mockRestore();
  const calls = agent.server.calls.filter((call) => call.route === "renew");
  expect(calls.some(({ body }) => body.leases.some(({ job_id }) => unluckyIds.includes(job_id)))).toBe(false);
  expect(unluckyIds.map((id) => agent.server.endOf(id))).toEqual([undefined, undefined, undefined]);
  await go(agent, "kept");
  await agent.server.report("completed", keptId);
});

test("a fault of the storage keeps every slot from claiming for a while; a job's own fault only its slot", async () => {
  const agent = await startAgent({
    environment: { KELPIE_SLOTS: "3" },
    timings: { faultPauseFirstMs: 3_600_000, faultPauseCapMs: 3_600_000 },
  });
  const failing = { sync: { before: checkpointRules.before }, ...program("") };
  agent.transfers.beforeDownload = async () => {
    throw new TransferError("config", "no such bucket");
  };
  await agent.server.report("failed", agent.server.submit(failing));
  agent.transfers.beforeDownload = async () => {
    throw new TransferError("storage", "503");
  };
  // The other slots still claim; the last one does not after this.
  await agent.server.report("released", agent.server.submit(failing));
  await expect
    .poll(async () => (await agent.state()).jobs.every(({ end }: { end?: string }) => end), eventually)
    .toBe(true);
  const claims = claimsOf(agent);
  const id = agent.server.submit(program(""));
  // Many polls long.
  await new Promise((resolve) => setTimeout(resolve, 1000));
  expect(claimsOf(agent)).toBe(claims);
  expect(agent.server.endOf(id)).toBeUndefined();
});
