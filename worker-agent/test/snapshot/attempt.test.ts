/** Snapshots in a whole agent: rules of a job, signals, and what the log and the renewals say of them. */
import { writeFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { createApiClient } from "../../src/api/client.ts";
import { createSnapshots } from "../../src/snapshot/snapshots.ts";
import { startAgent } from "../agent-under-test.ts";
import { fileAppears, program, waitForFile } from "../commands.ts";
import { startServer, tinySizes } from "./bench.ts";
import type { SnapshotServer } from "./snapshot-server.ts";

const place = { prefix: "job/", local_path: "work", mode: "snapshot" as const };
const sync = {
  before: [{ ...place, direction: "download" as const }],
  during: [{ ...place, direction: "upload" as const, quiet_seconds: 0.05, min_interval_seconds: 0 }],
};

async function agentOn(storage: SnapshotServer) {
  const identity = { machine_id: "machine-1", container_group_id: "group" };
  const snapshots = createSnapshots(
    { tries: 3, backoffBaseMs: 5, sizes: tinySizes },
    { api: createApiClient(storage.url, {}), identity },
  );
  return await startAgent({ snapshots });
}

async function storageThatTrusts(): Promise<SnapshotServer> {
  const storage = await startServer();
  storage.ignoresLeases = true;
  return storage;
}

test("SIGTERM: the command's last checkpoint is cut and committed, and the next agent goes on from it", async () => {
  const storage = await storageThatTrusts();
  const agent = await agentOn(storage);
  const count = program(`
    let step = fs.existsSync("work/step") ? Number(fs.readFileSync("work/step", "utf8")) : 0;
    const save = () => fs.writeFileSync("work/step", String(step));
    process.on("SIGTERM", () => { step += 1; save(); process.exit(0); });
    save();
    fs.writeFileSync("started", "");
    if (step === 0) setInterval(() => {}, 1000);
  `);
  const id = agent.server.submit({ sync, ...count });
  storage.jobId = id;
  await fileAppears(agent.path("started"));
  await storage.until(() => storage.generations.length === 1);
  agent.shutdown.request();
  await agent.running;
  expect(agent.server.endOf(id)).toBe("released");
  const { head } = storage;
  expect(head && storage.contentOf(head, "step")?.toString()).toBe("1");

  const next = await agentOn(storage);
  next.server.submit({ id, attempt: 1, sync, ...count });
  await next.server.report("completed", id);
  expect(await next.logged("snapshot restored")).toMatchObject({ of_attempt: 1, generation: 2, files: 1 });
  // The step is the same; its file was written anew.
  expect(storage.generations.at(-1)).toMatchObject({
    attempt: 2,
    head: { base: { attempt: 1, generation: 2 } },
  });
});

test("commits are told in the log and count as checkpoints in the renewals", async () => {
  const storage = await storageThatTrusts();
  const agent = await agentOn(storage);
  agent.server.leaseSeconds = 6;
  storage.jobId = agent.server.submit({
    sync,
    ...program(`fs.writeFileSync("work/a", "x".repeat(5000)); ${waitForFile("go")}`),
  });
  const line = await agent.logged("snapshot committed");
  expect(line).toMatchObject({ prefix: "job/", generation: 1, files: 1, bytes_total: 5000, quiet: true });
  expect(line).toMatchObject({ bytes_sent: expect.any(Number), seconds: expect.any(Number) });
  await agent.server.until((call) => call.route === "renew" && call.body.leases[0]?.progress === 1);
  await writeFile(agent.path("go"), "");
  await agent.server.report("completed", storage.jobId);
});

test("a job whose last checkpoint cannot be committed is not completed", async () => {
  const storage = await storageThatTrusts();
  const agent = await agentOn(storage);
  storage.faults.push(({ step }) => (step === "put_chunk" ? { kind: "answer", status: 500 } : undefined));
  storage.jobId = agent.server.submit({ sync, ...program(`fs.writeFileSync("work/a", "x");`) });
  const report = await agent.server.report("released", storage.jobId);
  expect(report.reason).toContain("snapshot of");
});

test("a job whose snapshots are all lost fails by that name before its command starts", async () => {
  const storage = await storageThatTrusts();
  const agent = await agentOn(storage);
  storage.plant("job/", [], {}, { attempt: 1, generation: 1 }).state = "damaged";
  storage.jobId = agent.server.submit({ sync, ...program(`fs.writeFileSync("ran", "");`) });
  const report = await agent.server.report("failed", storage.jobId);
  expect(report.reason).toContain("lost");
  expect(agent.lines.some(({ message }) => message === "command started")).toBe(false);
});

test("a pattern that backtracks without end fails the job while its command runs", async () => {
  const storage = await storageThatTrusts();
  const agent = await agentOn(storage);
  const bait = `${"a".repeat(40)}!`;
  const during = sync.during.map((rule) => ({ ...rule, pattern: "^(a+)+$" }));
  storage.jobId = agent.server.submit({
    sync: { during },
    ...program(`fs.writeFileSync("work/${bait}", "x"); setInterval(() => {}, 1000);`),
  });
  const report = await agent.server.report("failed", storage.jobId);
  expect(report).toMatchObject({ reason: expect.stringContaining("^(a+)+$"), signal: "SIGTERM" });
});
