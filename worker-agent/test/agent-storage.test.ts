/** An agent whose storage fails it: whose fault it is, and what becomes of the job. */
import { existsSync } from "node:fs";
import { expect, test } from "vitest";
import { TransferError } from "../src/transfer/ports.ts";
import { startAgent } from "./agent-under-test.ts";
import { checkpointRules } from "./checkpoint-rules.ts";
import { fileAppears, program } from "./commands.ts";

test("checkpoint download fails: the command does not start, the job is given back", async () => {
  const agent = await startAgent();
  let faults = 2;
  agent.transfers.beforeDownload = async () => {
    if (faults-- > 0) throw new TransferError("storage", "checkpoint/step: 503 after 6 tries");
  };
  const id = agent.server.submit({ sync: checkpointRules, ...program(`fs.writeFileSync("started", "")`) });
  const report = await agent.server.report("released", id);
  expect(report.reason).toContain("checkpoint/step: 503");
  expect(existsSync(agent.path("started"))).toBe(false);
});

test("a bucket that does not exist fails the job instead of sending it round for ever", async () => {
  const agent = await startAgent();
  agent.transfers.beforeDownload = async () => {
    throw new TransferError("config", "bucket b does not exist");
  };
  const id = agent.server.submit({ sync: checkpointRules, ...program("") });
  const report = await agent.server.report("failed", id);
  expect(report).toMatchObject({ reason: "bucket b does not exist" });
});

test("output upload fails: the job is not completed", async () => {
  const agent = await startAgent();
  agent.transfers.beforeUpload = async () => {
    throw new TransferError("config", "output/result: 403 Access Denied");
  };
  const id = agent.server.submit({ sync: checkpointRules, ...program("") });
  const report = await agent.server.report("failed", id);
  expect(report).toMatchObject({ exit_code: 0 });
  expect(report.reason).toContain("output/result: 403");
});

test("storage that is down during the output upload is tried again; then the job is given back", async () => {
  const agent = await startAgent();
  let down = 2;
  agent.transfers.beforeUpload = async () => {
    if (down-- > 0) throw new TransferError("storage", "output/result: 503");
  };
  const luckyId = agent.server.submit({ sync: checkpointRules, ...program("") });
  await agent.server.report("completed", luckyId);
  down = 1000;
  const unluckyId = agent.server.submit({ sync: checkpointRules, ...program("") });
  const report = await agent.server.report("released", unluckyId);
  expect(report.reason).toContain("the outputs could not be uploaded: output/result: 503");
});

test("the last checkpoint cannot be uploaded: a job that exited 0 is not completed", async () => {
  const agent = await startAgent();
  agent.transfers.beforeMirrorFinish = async () => {
    throw new TransferError("storage", "checkpoint/step: 503");
  };
  const id = agent.server.submit({ sync: checkpointRules, ...program("") });
  await agent.server.report("released", id);
});

test("a mirror that can bring up nothing more: the command is interrupted at once, and the job fails for that reason", async () => {
  const agent = await startAgent();
  const forever = `fs.writeFileSync("started", ""); setInterval(() => {}, 1000);`;
  const id = agent.server.submit({ sync: checkpointRules, ...program(forever) });
  await fileAppears(agent.path("started"));
  agent.transfers.broken.abort(new TransferError("config", "the pattern takes too long"));
  const report = await agent.server.report("failed", id);
  expect(report).toMatchObject({ reason: "the pattern takes too long", signal: "SIGTERM" });
});

test("the same for trouble of this node gives the job back, and a command that ends in good order changes nothing", async () => {
  const agent = await startAgent();
  const obedient = `process.on("SIGTERM", () => process.exit(0)); fs.writeFileSync("started", ""); setInterval(() => {}, 1000);`;
  const id = agent.server.submit({ sync: checkpointRules, ...program(obedient) });
  await fileAppears(agent.path("started"));
  agent.transfers.broken.abort(new TransferError("node", "out/a: EIO"));
  const report = await agent.server.report("released", id);
  expect(report).toMatchObject({ reason: "out/a: EIO", exit_code: 0 });
});
