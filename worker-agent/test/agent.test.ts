import { existsSync } from "node:fs";
import { readdir, writeFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { TransferError } from "../src/transfer/ports.ts";
import { startAgent } from "./agent-under-test.ts";
import { eventually, fileAppears, program, waitForFile } from "./commands.ts";

const checkpointRules = {
  before: [
    { bucket: "b", prefix: "checkpoint/", local_path: "work/checkpoint", direction: "download" as const },
  ],
  during: [
    { bucket: "b", prefix: "checkpoint/", local_path: "work/checkpoint", direction: "upload" as const },
  ],
  after: [{ bucket: "b", prefix: "output/", local_path: "work/output", direction: "upload" as const }],
};

test("a job runs from its claim to its report: checkpoint in, checkpoint out, output up", async () => {
  const agent = await startAgent();
  agent.transfers.objects.set("b/checkpoint/step", "7");
  const id = agent.server.submit({
    sync: checkpointRules,
    environment: { GREETING: "hello" },
    ...program(`
      const step = fs.readFileSync("work/checkpoint/step", "utf8");
      fs.writeFileSync("work/checkpoint/step", String(Number(step) + 1));
      fs.writeFileSync("work/output/greeting", [process.env.GREETING, process.env.KELPIE_JOB_ID].join(" "));
    `),
  });
  const report = await agent.server.report("completed", id);
  expect(report).toMatchObject({ machine_id: "machine-1", attempt: 1, exit_code: 0 });
  expect(report).toMatchObject({ bytes_downloaded: 1, bytes_uploaded: 1 + `hello ${id}`.length });
  expect(Object.fromEntries(agent.transfers.objects)).toEqual({
    "b/checkpoint/step": "8",
    "b/output/greeting": `hello ${id}`,
  });
});

test("a job with the six older fields finds its directories where the environment says", async () => {
  const agent = await startAgent();
  agent.transfers.objects.set("in/i/data", "input");
  agent.transfers.objects.set("check/c/state", "3");
  const id = agent.server.submit({
    sync: undefined,
    input_bucket: "in",
    input_prefix: "i/",
    checkpoint_bucket: "check",
    checkpoint_prefix: "c/",
    output_bucket: "out",
    output_prefix: "o/",
    ...program(`
      const { INPUT_DIR, CHECKPOINT_DIR, OUTPUT_DIR } = process.env;
      const text = fs.readFileSync(path.join(INPUT_DIR, "data")) + fs.readFileSync(path.join(CHECKPOINT_DIR, "state"));
      fs.writeFileSync(path.join(CHECKPOINT_DIR, "state"), "4");
      fs.writeFileSync(path.join(OUTPUT_DIR, "result"), text);
    `),
  });
  await agent.server.report("completed", id);
  expect(agent.transfers.objects.get("check/c/state")).toBe("4");
  expect(agent.transfers.objects.get("out/o/result")).toBe("input3");
});

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
  await agent.logged("attempt lost");
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

test("a report that the API refuses is dropped, and the agent goes on", async () => {
  const agent = await startAgent();
  const refusedId = agent.server.submit(
    program(`fs.writeFileSync("started", ""); ${waitForFile(agent.path("go"))}`),
  );
  await fileAppears(agent.path("started"));
  agent.server.supersede(refusedId, "not_holder");
  await writeFile(agent.path("go"), "");
  await agent.logged("report refused");
  const nextId = agent.server.submit(program(""));
  await agent.server.report("completed", nextId);
});

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

test("the next job starts while the last one's outputs upload, and finds empty directories", async () => {
  const agent = await startAgent();
  const uploading = Promise.withResolvers<void>();
  const secondRan = Promise.withResolvers<void>();
  agent.transfers.beforeUpload = async () => {
    uploading.resolve();
    await secondRan.promise;
  };
  const rules = { after: checkpointRules.after };
  const firstId = agent.server.submit({
    sync: rules,
    ...program(`fs.mkdirSync("work/output/deep"); fs.writeFileSync("work/output/deep/first", "1")`),
  });
  await uploading.promise;
  agent.server.submit({
    sync: rules,
    ...program(`fs.writeFileSync("seen", JSON.stringify(fs.readdirSync("work/output")))`),
  });
  await fileAppears(agent.path("seen"));
  expect(agent.server.endOf(firstId)).toBeUndefined();
  secondRan.resolve();
  await agent.server.report("completed", firstId);
  await expect.poll(() => agent.read("seen"), eventually).toBe("[]");
  expect(agent.transfers.objects.get("b/output/deep/first")).toBe("1");
  // Nothing moved aside is left behind.
  await expect.poll(() => readdir(agent.path("work")), eventually).toEqual(["output"]);
});

test("a job whose directory holds another's outputs aside waits for them", async () => {
  const agent = await startAgent();
  const whole = [{ bucket: "b", prefix: "none/", local_path: "work", direction: "download" as const }];
  const uploading = Promise.withResolvers<void>();
  const release = Promise.withResolvers<void>();
  agent.transfers.beforeUpload = async () => {
    uploading.resolve();
    await release.promise;
  };
  const firstId = agent.server.submit({
    sync: { before: whole, after: checkpointRules.after },
    ...program(`fs.writeFileSync("work/output/first", "1")`),
  });
  await uploading.promise;
  const secondId = agent.server.submit({ sync: { before: whole }, ...program("") });
  await agent.logged("waiting: an earlier job's outputs");
  release.resolve();
  await agent.server.report("completed", firstId);
  await agent.server.report("completed", secondId);
  expect(agent.transfers.objects.get("b/output/first")).toBe("1");
});

test("a node whose uploads lag behind takes no further job", async () => {
  const agent = await startAgent();
  const release = Promise.withResolvers<void>();
  const bothUploading = Promise.withResolvers<void>();
  let uploads = 0;
  agent.transfers.beforeUpload = async () => {
    if (++uploads === 2) bothUploading.resolve();
    await release.promise;
  };
  const job = { sync: { after: checkpointRules.after }, ...program("") };
  const ids = [agent.server.submit(job), agent.server.submit(job), agent.server.submit(job)];
  await bothUploading.promise;
  const before = agent.server.calls.length;
  agent.sleep(60_000); // makes it renew now
  await agent.server.until((call) => call.route === "renew" && agent.server.calls.indexOf(call) >= before);
  release.resolve();
  for (const id of ids) await agent.server.report("completed", id);
  const held = agent.server.calls.map((call) => (call.route === "renew" ? call.body.leases.length : 0));
  expect(Math.max(...held)).toBe(2);
});

test("a command that exits 3 fails the job with its code, and its checkpoint still goes up", async () => {
  const agent = await startAgent();
  const id = agent.server.submit({
    sync: checkpointRules,
    ...program(`fs.writeFileSync("work/checkpoint/last", "x"); process.exit(3)`),
  });
  const report = await agent.server.report("failed", id);
  expect(report).toMatchObject({ exit_code: 3, reason: "the command ended with exit code 3" });
  expect(agent.transfers.objects.get("b/checkpoint/last")).toBe("x");
});

test("a command killed by a signal fails the job with the signal's name", async () => {
  const agent = await startAgent();
  const id = agent.server.submit(program(`process.kill(process.pid, "SIGKILL")`));
  expect(await agent.server.report("failed", id)).toMatchObject({ exit_code: null, signal: "SIGKILL" });
});

test("a command that does not exist fails the job with exit code 127", async () => {
  const agent = await startAgent();
  const id = agent.server.submit({ command: "/no/such/command" });
  expect(await agent.server.report("failed", id)).toMatchObject({ exit_code: 127 });
});

test("a job that would have the agent's working directory cleared is refused", async () => {
  const agent = await startAgent();
  await writeFile(agent.path("precious"), "");
  const id = agent.server.submit({
    sync: { before: [{ bucket: "b", prefix: "", local_path: ".", direction: "download" }] },
  });
  const report = await agent.server.report("failed", id);
  expect(report.reason).toContain("refusing to clear");
  expect(existsSync(agent.path("precious"))).toBe(true);
});

test("a rule's directory inside another rule's directory is there for the command", async () => {
  const agent = await startAgent();
  const id = agent.server.submit({
    sync: {
      before: [{ bucket: "b", prefix: "in/", local_path: "work/inner", direction: "download" }],
      after: [{ bucket: "b", prefix: "out/", local_path: "work", direction: "upload" }],
    },
    ...program(`fs.writeFileSync("work/inner/file", "x")`),
  });
  await agent.server.report("completed", id);
  expect(agent.transfers.objects.get("b/out/inner/file")).toBe("x");
});

test("SIGTERM: the last checkpoint goes up, the job is released", async () => {
  const agent = await startAgent();
  const id = agent.server.submit({
    sync: checkpointRules,
    ...program(`
      process.on("SIGTERM", () => { fs.writeFileSync("work/checkpoint/last", "saved"); process.exit(0); });
      fs.writeFileSync("started", "");
      setInterval(() => {}, 1000);
    `),
  });
  await fileAppears(agent.path("started"));
  agent.shutdown.request();
  await agent.running;
  expect(agent.server.endOf(id)).toBe("released");
  expect(agent.transfers.objects.get("b/checkpoint/last")).toBe("saved");
});

test("SIGTERM while outputs upload: they may finish, and the job is completed", async () => {
  const agent = await startAgent();
  const id = agent.server.submit({ sync: checkpointRules, ...program("") });
  const uploading = Promise.withResolvers<void>();
  const release = Promise.withResolvers<void>();
  agent.transfers.beforeUpload = async () => {
    uploading.resolve();
    await release.promise;
  };
  await uploading.promise;
  agent.shutdown.request();
  release.resolve();
  await agent.running;
  expect(agent.server.endOf(id)).toBe("completed");
});

test("SIGTERM while outputs cannot be uploaded: after a bounded time the job is released", async () => {
  const agent = await startAgent({ timings: { shutdownUploadMs: 50 } });
  const id = agent.server.submit({ sync: checkpointRules, ...program("") });
  const uploading = Promise.withResolvers<void>();
  agent.transfers.beforeUpload = (_rule, { signal }) => {
    uploading.resolve();
    return new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  };
  await uploading.promise;
  agent.shutdown.request();
  await agent.running;
  expect(agent.server.endOf(id)).toBe("released");
});

test("a second SIGTERM does not wait for a command that ignores the first", async () => {
  const agent = await startAgent();
  const id = agent.server.submit(
    program(`
      process.on("SIGTERM", () => fs.writeFileSync("ignored", ""));
      fs.writeFileSync("started", "");
      setInterval(() => {}, 1000);
    `),
  );
  await fileAppears(agent.path("started"));
  agent.shutdown.request();
  await fileAppears(agent.path("ignored"));
  agent.shutdown.request();
  await agent.running;
  expect(agent.server.endOf(id)).toBe("released");
});

test("no work for as long as configured: the agent ends, after its uploads", async () => {
  const agent = await startAgent({ environment: { MAX_TIME_WITH_NO_WORK_S: "1" } });
  const id = agent.server.submit({ sync: checkpointRules, ...program("") });
  const release = Promise.withResolvers<void>();
  agent.transfers.beforeUpload = () => release.promise;
  await agent.logged("no work for as long as configured");
  expect(agent.server.endOf(id)).toBeUndefined();
  release.resolve();
  await agent.running;
  expect(agent.server.endOf(id)).toBe("completed");
});
