/** Another node, another container: when the agent asks for one, and that no job is lost by it. */
import { randomUUID } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { claimsOf, startOnNode } from "./agent-on-node.ts";
import { startAgent } from "./agent-under-test.ts";
import { checkpointRules } from "./checkpoint-rules.ts";
import { eventually, fileAppears, program, waitForFile } from "./commands.ts";

const failing = program("process.exit(3)");
const reallocate = "POST /v1/reallocate";
const recreate = "POST /v1/recreate";

/** Time for some claims, had they been made: renewals and claims come every 100 ms here. */
async function fewClaims() {
  await new Promise((resolve) => setTimeout(resolve, 500));
}

test("incident 17: the deletion cost drops while the last uploads run: it is highest then, and 0 only after the report", async () => {
  const agent = await startOnNode();
  const uploads = agent.transfers.holdUploads();
  const id = agent.server.submit({
    sync: { after: checkpointRules.after },
    ...program(`fs.writeFileSync("started", ""); ${waitForFile(agent.path("go"))}`),
  });
  await fileAppears(agent.path("started"));
  await agent.imds.until(() => agent.imds.costs.at(-1) === 1);
  await writeFile(agent.path("go"), "");
  await uploads.begun;
  await agent.imds.until(() => agent.imds.costs.at(-1) === 100_000);
  uploads.goOn();
  await agent.server.report("completed", id);
  await agent.imds.until(() => agent.imds.costs.at(-1) === 0);
  expect(agent.imds.costs).toEqual([0, 1, 100_000, 0]);
});

test("jobs that fail in a row: another node is asked for, once, and nothing is claimed any more", async () => {
  const agent = await startOnNode();
  for (let jobs = 0; jobs < 5; jobs++) agent.server.submit(failing);
  const { body } = await agent.imds.asked(reallocate);
  expect(body).toEqual({ reason: "3 jobs in a row failed on this node" });
  const claims = claimsOf(agent);
  await fewClaims();
  expect([claimsOf(agent), agent.imds.count(reallocate)]).toEqual([claims, 1]);
  // As many ran as were claimed.
  const ends = agent.server.calls.filter(({ route }) => route === "failed").length;
  expect(ends).toBeLessThanOrEqual(4);
  agent.shutdown.request();
  await agent.running;
});

test("a job that completes makes up for those that failed before; 0 means never", async () => {
  const one = await startOnNode({ environment: { MAX_JOB_FAILURES: "2" } });
  for (const job of [failing, program(""), failing, program("")]) one.server.submit(job);
  const never = await startOnNode({ environment: { MAX_JOB_FAILURES: "0" } });
  for (let jobs = 0; jobs < 4; jobs++) never.server.submit(failing);
  const reports = (agent: typeof one) => agent.server.calls.filter((call) => "jobId" in call).length;
  await expect.poll(() => [reports(one), reports(never)], eventually).toEqual([4, 4]);
  await fewClaims();
  expect([one.imds.count(reallocate), never.imds.count(reallocate)]).toEqual([0, 0]);
});

test("a job that fails before its command runs says nothing about this node", async () => {
  const agent = await startOnNode({ environment: { MAX_JOB_FAILURES: "1" } });
  const outside = [{ bucket: "b", prefix: "p/", local_path: "/", direction: "download" as const }];
  const id = agent.server.submit({ sync: { before: outside }, ...program("") });
  await agent.server.report("failed", id);
  await fewClaims();
  expect(agent.imds.count(reallocate)).toBe(0);
});

test("the API asks with its answer to a report: outputs that still go up are waited for", async () => {
  const agent = await startOnNode();
  const uploads = agent.transfers.holdUploads();
  const slowId = agent.server.submit({ sync: { after: checkpointRules.after }, ...program("") });
  await uploads.begun;
  agent.server.reallocate = "what fails here goes well elsewhere";
  const id = agent.server.submit(failing);
  await agent.server.report("failed", id);
  await agent.logged("another node is wanted");
  await fewClaims();
  expect(agent.imds.count(reallocate)).toBe(0);
  agent.server.reallocate = undefined;
  uploads.goOn();
  const { body } = await agent.imds.asked(reallocate);
  expect(body).toEqual({ reason: "what fails here goes well elsewhere" });
  expect(agent.server.endOf(slowId)).toBe("completed");
});

test("the API asks over the socket: the job that runs ends first, and none is begun", async () => {
  const agent = await startOnNode({ sockets: {} });
  const socket = await agent.sockets.socket(1);
  const id = agent.server.submit(
    program(`fs.writeFileSync("started", ""); ${waitForFile(agent.path("go"))}`),
  );
  socket.tell({ type: "wake" });
  await fileAppears(agent.path("started"));
  socket.tell({ type: "reallocate", reason: "a better one" });
  await agent.logged("another node is wanted");
  const nextId = agent.server.submit(program(""));
  await writeFile(agent.path("go"), "");
  expect((await agent.imds.asked(reallocate)).body).toEqual({ reason: "a better one" });
  expect(agent.server.endOf(id)).toBe("completed");
  socket.tell({ type: "wake" });
  await fewClaims();
  expect(agent.server.endOf(nextId)).toBeUndefined();
});

test("a claim under way when another node is wanted: its job runs to its end first", async () => {
  const agent = await startOnNode({ sockets: {} });
  const socket = await agent.sockets.socket(1);
  await agent.sockets.said(socket, "waiting");
  const claimed = Promise.withResolvers<void>();
  const goOn = Promise.withResolvers<void>();
  const id = agent.server.submit(program(""));
  agent.server.fault = async (call) => {
    if (call.route !== "claim") return undefined;
    claimed.resolve();
    await goOn.promise;
    return undefined;
  };
  socket.tell({ type: "wake" });
  await claimed.promise;
  socket.tell({ type: "reallocate", reason: "a better one" });
  await agent.logged("another node is wanted");
  await fewClaims();
  expect(agent.imds.count(reallocate)).toBe(0);
  goOn.resolve();
  await agent.imds.asked(reallocate);
  expect(agent.server.endOf(id)).toBe("completed");
});

test("a refused reallocation: claims go on, and none is asked for again soon", async () => {
  const agent = await startOnNode({ environment: { MAX_JOB_FAILURES: "1" } });
  agent.imds.fault = ({ what }) => (what === reallocate ? 429 : undefined);
  const firstId = agent.server.submit(failing);
  await agent.server.report("failed", firstId);
  await agent.logged("no reallocate");
  const secondId = agent.server.submit(failing);
  await agent.server.report("failed", secondId);
  await agent.logged("refused lately");
  const thirdId = agent.server.submit(program(""));
  await agent.server.report("completed", thirdId);
  expect(agent.imds.count(reallocate)).toBe(1);
  // Hours later it may.
  agent.sleep(3 * 3_600_000);
  agent.imds.fault = () => undefined;
  agent.server.submit(failing);
  await agent.imds.until(() => agent.imds.count(reallocate) === 2);
});

test("a container that stays although SaladCloud agreed goes on claiming after a while", async () => {
  const agent = await startOnNode({ environment: { MAX_JOB_FAILURES: "1" }, timings: { moveWaitMs: 50 } });
  agent.server.submit(failing);
  await agent.imds.asked(reallocate);
  await agent.logged("no reallocate");
  const id = agent.server.submit(program(""));
  await agent.server.report("completed", id);
});

test("a request whose answer was lost may have been heard: nothing is claimed until that would have shown", async () => {
  const agent = await startOnNode({
    environment: { MAX_JOB_FAILURES: "1" },
    timings: { moveDoubtMs: 3_000 },
  });
  agent.imds.fault = ({ what }) =>
    what === reallocate ? (agent.imds.count(reallocate) === 0 ? "reset" : 404) : undefined;
  agent.server.submit(failing);
  await agent.imds.until(() => agent.imds.count(reallocate) === 2);
  const claims = claimsOf(agent);
  await fewClaims();
  expect(claimsOf(agent)).toBe(claims);
  await agent.logged("no reallocate");
  const id = agent.server.submit(program(""));
  await agent.server.report("completed", id);
});

test("a container for each job: asked for after its uploads, before the next claim; SIGTERM then ends the agent", async () => {
  const agent = await startOnNode({ environment: { KELPIE_RECREATE_BETWEEN_JOBS: "true" } });
  const uploads = agent.transfers.holdUploads();
  const id = agent.server.submit({ sync: { after: checkpointRules.after }, ...program("") });
  await uploads.begun;
  const nextId = agent.server.submit(program(""));
  await fewClaims();
  expect(agent.imds.count(recreate)).toBe(0);
  uploads.goOn();
  await agent.imds.asked(recreate);
  expect(agent.server.endOf(id)).toBe("completed");
  await fewClaims();
  expect([agent.server.endOf(nextId), agent.imds.count(recreate)]).toEqual([undefined, 1]);
  agent.shutdown.request();
  await agent.running;
});

test("a container for each job that SaladCloud refuses: the next job runs in the old one", async () => {
  const agent = await startOnNode({ environment: { KELPIE_RECREATE_BETWEEN_JOBS: "true" } });
  agent.imds.fault = ({ what }) => (what === recreate ? 429 : undefined);
  const ids = [agent.server.submit(program("")), agent.server.submit(failing)];
  await agent.server.report("completed", ids[0] as string);
  await agent.server.report("failed", ids[1] as string);
  await agent.imds.until(() => agent.imds.count(recreate) === 2);
});

test("no work for long: uploads are waited for, another node is asked for, the agent ends", async () => {
  const agent = await startOnNode({
    environment: { MAX_TIME_WITH_NO_WORK_S: "1" },
    timings: { idleMoveWaitMs: 10 },
  });
  const uploads = agent.transfers.holdUploads();
  const id = agent.server.submit({ sync: { after: checkpointRules.after }, ...program("") });
  await agent.logged("no work for as long as configured");
  expect(agent.imds.count(reallocate)).toBe(0);
  uploads.goOn();
  await agent.running;
  expect(agent.server.endOf(id)).toBe("completed");
  expect(agent.imds.calls.filter(({ what }) => what === reallocate)).toEqual([
    { what: reallocate, body: { reason: "no work for 1 s" } },
  ]);
});

test("an agent that is told to stop makes no move any more, though one was wished", async () => {
  const agent = await startOnNode({ sockets: {} });
  const socket = await agent.sockets.socket(1);
  const id = agent.server.submit(program(`fs.writeFileSync("started", ""); setInterval(() => {}, 1000);`));
  socket.tell({ type: "wake" });
  await fileAppears(agent.path("started"));
  socket.tell({ type: "reallocate", reason: "a better one" });
  await agent.logged("another node is wanted");
  // By now it waits for the job to end.
  await fewClaims();
  agent.shutdown.request();
  await agent.running;
  expect(agent.server.endOf(id)).toBe("released");
  expect(agent.imds.count(reallocate)).toBe(0);
});

test("eight agents in one container: none takes it away from the others", async () => {
  const environment = { MAX_JOB_FAILURES: "1", SALAD_INSTANCE_ID: randomUUID() };
  const other = await startOnNode({ environment });
  const agent = await startOnNode({ environment });
  agent.server.submit(failing);
  await agent.logged("no reallocate");
  expect(agent.imds.count(reallocate)).toBe(0);
  other.shutdown.request();
  await other.running;
  agent.sleep(3 * 3_600_000);
  agent.server.submit(failing);
  await agent.imds.asked(reallocate);
});

test("elsewhere than on SaladCloud: one line about it, and jobs as always", async () => {
  const agent = await startAgent({
    environment: { MAX_JOB_FAILURES: "1", KELPIE_RECREATE_BETWEEN_JOBS: "true" },
  });
  agent.server.reallocate = "what fails here goes well elsewhere";
  const ids = [agent.server.submit(failing), agent.server.submit(failing)];
  for (const id of ids) await agent.server.report("failed", id);
  await agent.logged("no metadata service: ");
  await fewClaims();
  const said = agent.lines.filter(
    ({ severity, message }) =>
      severity !== "DEBUG" && /metadata|node is wanted|recreate|reallocate|cost/.test(message),
  );
  expect(said.map(({ message }) => message)).toEqual([
    "no metadata service: no deletion cost, reallocation or recreation",
  ]);
});
