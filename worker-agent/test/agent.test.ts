/** Jobs from their claim to their report: commands, directories, one job after the other. */
import { existsSync } from "node:fs";
import { readdir, writeFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { startAgent } from "./agent-under-test.ts";
import { checkpointRules } from "./checkpoint-rules.ts";
import { eventually, fileAppears, program } from "./commands.ts";

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

test("the next job starts while the last one's outputs upload, and finds empty directories", async () => {
  const agent = await startAgent();
  const uploads = agent.transfers.holdUploads();
  const rules = { after: checkpointRules.after };
  const firstId = agent.server.submit({
    sync: rules,
    ...program(`fs.mkdirSync("work/output/deep"); fs.writeFileSync("work/output/deep/first", "1")`),
  });
  await uploads.begun;
  agent.server.submit({
    sync: rules,
    ...program(`fs.writeFileSync("seen", JSON.stringify(fs.readdirSync("work/output")))`),
  });
  await fileAppears(agent.path("seen"));
  expect(agent.server.endOf(firstId)).toBeUndefined();
  uploads.goOn();
  await agent.server.report("completed", firstId);
  await expect.poll(() => agent.read("seen"), eventually).toBe("[]");
  expect(agent.transfers.objects.get("b/output/deep/first")).toBe("1");
  // Nothing moved aside is left behind.
  await expect.poll(() => readdir(agent.path("work")), eventually).toEqual(["output"]);
});

test("a job whose directory holds another's outputs aside waits for them", async () => {
  const agent = await startAgent();
  const whole = [{ bucket: "b", prefix: "none/", local_path: "work", direction: "download" as const }];
  const uploads = agent.transfers.holdUploads();
  const firstId = agent.server.submit({
    sync: { before: whole, after: checkpointRules.after },
    ...program(`fs.writeFileSync("work/output/first", "1")`),
  });
  await uploads.begun;
  const secondId = agent.server.submit({ sync: { before: whole }, ...program("") });
  await agent.logged("waiting: an earlier job's outputs");
  uploads.goOn();
  await agent.server.report("completed", firstId);
  await agent.server.report("completed", secondId);
  expect(agent.transfers.objects.get("b/output/first")).toBe("1");
});

test("a node whose uploads lag behind takes no further job", async () => {
  const agent = await startAgent();
  const uploads = agent.transfers.holdUploads(2);
  const job = { sync: { after: checkpointRules.after }, ...program("") };
  const ids = [agent.server.submit(job), agent.server.submit(job), agent.server.submit(job)];
  await uploads.begun;
  const before = agent.server.calls.length;
  agent.sleep(60_000); // makes it renew now
  await agent.server.until((call) => call.route === "renew" && agent.server.calls.indexOf(call) >= before);
  uploads.goOn();
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

test("no work for as long as configured: the agent ends, after its uploads", async () => {
  const agent = await startAgent({ environment: { MAX_TIME_WITH_NO_WORK_S: "1" } });
  const id = agent.server.submit({ sync: checkpointRules, ...program("") });
  const uploads = agent.transfers.holdUploads();
  await agent.logged("no work for as long as configured");
  expect(agent.server.endOf(id)).toBeUndefined();
  uploads.goOn();
  await agent.running;
  expect(agent.server.endOf(id)).toBe("completed");
});
