/** An agent and its leases: claims, renewals, trust that lapses, reports that get lost. */
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { startAgent } from "./agent-under-test.ts";
import { checkpointRules } from "./checkpoint-rules.ts";
import { eventually, fileAppears, program, waitForFile } from "./commands.ts";

test("a claim whose answer was lost is repeated with the same claim id, and an answered one never", async () => {
  const agent = await startAgent();
  const claimIds: (string | undefined)[] = [];
  let id: string | undefined;
  agent.server.fault = (call) => {
    if (call.route !== "claim" || !id) return undefined;
    claimIds.push(call.query.claim_id);
    return claimIds.length <= 2 ? "answer_lost" : undefined;
  };
  id = agent.server.submit(program(""));
  const report = await agent.server.report("completed", id);
  expect(report.attempt).toBe(1);
  await expect.poll(() => claimIds.length, eventually).toBeGreaterThanOrEqual(6);
  const [first, second, third, ...later] = claimIds;
  expect([second, third]).toEqual([first, first]);
  expect(new Set([first, ...later]).size).toBe(1 + later.length);
});

test("a lease is renewed at once, and the command waits for that", async () => {
  const agent = await startAgent();
  let failures = 0;
  let startedUnacknowledged = false;
  agent.server.fault = (call) => {
    if (call.route !== "renew") return undefined;
    startedUnacknowledged ||= agent.lines.some(({ message }) => message === "command started");
    return failures++ < 5 ? 503 : undefined;
  };
  const id = agent.server.submit(program(""));
  await agent.server.report("completed", id);
  expect(failures).toBe(6);
  expect(startedUnacknowledged).toBe(false);
});

test("renewals tell whether the command runs, and how many checkpoints went up", async () => {
  const agent = await startAgent();
  agent.server.leaseSeconds = 6;
  let goOn = () => {};
  agent.transfers.beforeUpload = () => new Promise((resolve) => (goOn = resolve));
  const id = agent.server.submit({
    sync: checkpointRules,
    ...program(`fs.writeFileSync("work/checkpoint/step", "1"); fs.writeFileSync("work/output/x", "x");`),
  });
  const first = await agent.server.until((call) => call.route === "renew");
  expect(first.route === "renew" && first.body.leases).toMatchObject([
    { job_id: id, command_started: false, progress: 0 },
  ]);
  const later = await agent.server.until(
    (call) => call.route === "renew" && call.body.leases[0]?.progress === 1,
  );
  expect(later.route === "renew" && later.body.leases).toMatchObject([{ command_started: true }]);
  goOn();
  await agent.server.report("completed", id);
});

test("trust lapses: effects wait, the command runs on", async () => {
  const agent = await startAgent();
  const id = agent.server.submit({
    sync: checkpointRules,
    ...program(`
      fs.writeFileSync("started", "");
      process.on("SIGTERM", () => fs.writeFileSync("interrupted", ""));
      ${waitForFile(agent.path("go"))}
      process.on("exit", () => fs.writeFileSync("work/checkpoint/last", "the end"));
    `),
  });
  await fileAppears(agent.path("started"));
  agent.server.fault = () => "unreachable";
  agent.sleep(60_000);
  await agent.logged("trust lapsed");
  await writeFile(agent.path("go"), "");
  await agent.logged("command ended");
  expect(agent.transfers.objects.size).toBe(0);
  agent.server.fault = () => undefined;
  await agent.server.report("completed", id);
  expect(agent.transfers.objects.get("b/checkpoint/last")).toBe("the end");
  expect(existsSync(agent.path("interrupted"))).toBe(false);
});

test("a superseded attempt stops its command and reports nothing; the agent takes the next job", async () => {
  const agent = await startAgent();
  const lostId = agent.server.submit({
    sync: checkpointRules,
    ...program(`
      process.on("SIGTERM", () => { fs.writeFileSync("interrupted", ""); process.exit(0); });
      fs.writeFileSync("work/checkpoint/last", "of a superseded attempt");
      fs.writeFileSync("started", "");
      setInterval(() => {}, 1000);
    `),
  });
  await fileAppears(agent.path("started"));
  agent.server.supersede(lostId);
  agent.sleep(60_000); // makes it renew now
  expect(await agent.logged("attempt lost")).toMatchObject({ severity: "WARN", reason: "superseded" });
  expect(existsSync(agent.path("interrupted"))).toBe(true);
  const nextId = agent.server.submit(program(""));
  await agent.server.report("completed", nextId);
  expect(agent.server.endOf(lostId)).toBeUndefined();
  expect(agent.transfers.objects.size).toBe(0);
  expect(agent.transfers.abandoned).toBe(1);
});

test("a completion that cannot be reported is retried, never turned into a failure", async () => {
  const agent = await startAgent();
  let refusals = 0;
  const faults = ["unreachable", 503, 429, "unreachable", 401, 500, "unreachable", 502] as const;
  agent.server.fault = (call) => (call.route === "completed" ? faults[refusals++] : undefined);
  const id = agent.server.submit(program(""));
  await agent.logged("reported completed");
  expect(agent.server.endOf(id)).toBe("completed");
  const reports = agent.server.calls.filter((call) => "jobId" in call).map((call) => call.route);
  expect(reports).toEqual(new Array(faults.length + 1).fill("completed"));
});

test("a completion whose answer was lost counts, even if a renewal hears of it first", async () => {
  const agent = await startAgent();
  agent.server.fault = (call) => (call.route === "completed" ? "answer_lost" : undefined);
  const id = agent.server.submit(program(""));
  await agent.server.report("completed", id);
  agent.sleep(60_000); // makes it renew now; the answer says that the job has ended
  await agent.logged("not reported: the lease has ended");
  await expect.poll(async () => (await agent.state()).jobs[0].status, eventually).toBe("completed");
});

test.each([
  ["not_holder", "WARN"],
  ["canceled", "INFO"],
] as const)(
  "a report that the API refuses (%s) is dropped, and the agent goes on",
  async (reason, severity) => {
    const agent = await startAgent();
    const refusedId = agent.server.submit(
      program(`fs.writeFileSync("started", ""); ${waitForFile(agent.path("go"))}`),
    );
    await fileAppears(agent.path("started"));
    agent.server.supersede(refusedId, reason);
    await writeFile(agent.path("go"), "");
    expect(await agent.logged("report refused")).toMatchObject({ severity, reason });
    const nextId = agent.server.submit(program(""));
    await agent.server.report("completed", nextId);
  },
);
