/** What becomes of what commands write; whole agents against a fake API. */

import { writeFileSync } from "node:fs";
import { PassThrough, Writable } from "node:stream";
import { describe, expect, test } from "vitest";
import { pause } from "../src/pause.ts";
import { startAgent } from "./agent-under-test.ts";
import type { Call } from "./api-server.ts";
import { program, waitForFile } from "./commands.ts";

const quick = { logRetryFirstMs: 10, logRetryCapMs: 50 };
const isLog = (call: Call): call is Extract<Call, { route: "log" }> => call.route === "log";

/** Where a container's log would be. */
function outlets() {
  const collected = { stdout: "", stderr: "" };
  const outlet = (name: "stdout" | "stderr") =>
    new PassThrough().on("data", (bytes) => {
      collected[name] += bytes;
    });
  return { collected, outlets: { stdout: outlet("stdout"), stderr: outlet("stderr") } };
}

test("what a command writes passes through as it is, and is kept, masked, before its end is reported", async () => {
  const { collected, outlets: to } = outlets();
  const agent = await startAgent({ timings: quick, outlets: to });
  const id = agent.server.submit({
    environment: { MY_SECRET: "hunter2hunter2" },
    ...program(
      `process.stdout.write("the key is " + process.env.MY_SECRET + "\\n"); process.stderr.write("oops");`,
    ),
  });
  await agent.server.report("completed", id);
  expect(agent.server.logOf(id, "stdout")).toBe("the key is ***\n");
  expect(agent.server.logOf(id, "stderr")).toBe("oops");
  expect(collected).toEqual({ stdout: "the key is hunter2hunter2\n", stderr: "oops" });
});

test("a secret is masked across the border of two parts", async () => {
  const { outlets: to } = outlets();
  const agent = await startAgent({
    timings: quick,
    outlets: to,
    environment: { KELPIE_LOG_SECONDS: "0.05" },
  });
  const id = agent.server.submit({
    environment: { MY_SECRET: "hunter2hunter2" },
    ...program(`process.stdout.write("begin hunter2");
      const look = setInterval(() => { if (fs.existsSync("go")) { clearInterval(look); process.stdout.write("hunter2 end\\n"); } }, 10);`),
  });
  await agent.server.until((call): call is Call => isLog(call) && call.text === "begin ");
  writeFileSync(agent.path("go"), "");
  await agent.server.report("completed", id);
  expect(agent.server.logOf(id, "stdout")).toBe("begin *** end\n");
});

test("it is sent while the command runs; a part without an answer is sent again, and is there once", async () => {
  const { outlets: to } = outlets();
  const agent = await startAgent({
    timings: quick,
    outlets: to,
    environment: { KELPIE_LOG_SECONDS: "0.05" },
  });
  let faults = 0;
  agent.server.fault = (call) => {
    if (!isLog(call) || faults >= 3) return undefined;
    return (["unreachable", "answer_lost", 503] as const)[faults++];
  };
  const id = agent.server.submit({
    ...program(`console.log("one"); ${waitForFile("end")} process.on("exit", () => console.log("two"));`),
  });
  await expect.poll(() => agent.server.logOf(id, "stdout"), { timeout: 20_000 }).toBe("one\n");
  writeFileSync(agent.path("end"), "");
  await agent.server.report("completed", id);
  expect(faults).toBe(3);
  expect(agent.server.logOf(id, "stdout")).toBe("one\ntwo\n");
});

test("the log of a command that fails is there when that is reported, and of one that the agent gives back", async () => {
  const { outlets: to } = outlets();
  const agent = await startAgent({ timings: quick, outlets: to });
  // A slow one: the report waits for it.
  agent.server.fault = async (call) => (isLog(call) ? void (await pause(200)) : undefined);
  const failing = agent.server.submit({ ...program(`console.error("why"); process.exit(3);`) });
  await agent.server.report("failed", failing);
  expect(agent.server.logOf(failing, "stderr")).toBe("why\n");
  const stopped = agent.server.submit({
    ...program(
      `process.on("SIGTERM", () => { console.log("saved"); process.exit(0); }); fs.writeFileSync("ready", ""); setInterval(() => {}, 1000);`,
    ),
  });
  await expect.poll(() => agent.read("ready").catch(() => undefined), { timeout: 20_000 }).toBe("");
  agent.shutdown.request();
  await agent.server.report("released", stopped);
  expect(agent.server.logOf(stopped, "stdout")).toBe("saved\n");
});

describe("nothing slows the command", () => {
  const megabytes = 30;
  const flood = program(`
    const line = Buffer.alloc(1024 * 1024, "x".repeat(99) + "\\n");
    for (let count = 0; count < ${megabytes}; count++) fs.writeSync(1, line);
    fs.writeSync(1, "\\nthe end\\n");`);

  test("neither a container log that nobody reads nor an API that never answers; what is missing is told", async () => {
    const stuck = new Writable({ write: () => undefined });
    const agent = await startAgent({
      timings: { ...quick, logFinishMs: 100 },
      outlets: { stdout: stuck, stderr: stuck },
    });
    const never = new Promise<undefined>(() => undefined);
    agent.server.fault = (call) => (isLog(call) ? never : undefined);
    const id = agent.server.submit(flood);
    await agent.server.report("completed", id);
    // Some MiB, and the write that is stuck.
    expect(stuck.writableLength).toBeLessThan(5 * 1024 * 1024);
  });

  test("a flood is kept up to its bounds, with a marker, and its end", async () => {
    const { collected, outlets: to } = outlets();
    const agent = await startAgent({ timings: { ...quick, logFinishMs: 20_000 }, outlets: to });
    const id = agent.server.submit(flood);
    await agent.server.report("completed", id);
    const kept = agent.server.logOf(id, "stdout");
    expect(kept.length).toBeLessThan(4 * 1024 * 1024);
    expect(kept).toMatch(/\[kelpie: \d+ bytes dropped\]\n/);
    expect(kept.slice(-200)).toMatch(/\nthe end\n$/);
    expect(collected.stdout.endsWith("\nthe end\n")).toBe(true);
  });
});

test("an API that keeps no logs is told of once and asked no more; the job is none the worse for it", async () => {
  const { outlets: to } = outlets();
  const agent = await startAgent({
    timings: quick,
    outlets: to,
    environment: { KELPIE_LOG_SECONDS: "0.02" },
  });
  agent.server.fault = (call) => (isLog(call) ? 404 : undefined);
  const id = agent.server.submit({
    ...program(
      `let n = 0; const telling = setInterval(() => { console.log(n); if (++n > 20) clearInterval(telling); }, 20);`,
    ),
  });
  await agent.server.report("completed", id);
  expect(agent.server.calls.filter(isLog)).toHaveLength(1);
  expect(agent.lines.filter(({ message }) => message.includes("is not kept"))).toHaveLength(1);
});

test("a command may open /dev/stdout and /dev/stderr, as scripts of many images do", async () => {
  const { collected, outlets: to } = outlets();
  const agent = await startAgent({ timings: quick, outlets: to });
  const id = agent.server.submit({
    command: "/bin/sh",
    arguments: ["-c", "echo out > /dev/stdout && echo err > /dev/stderr"],
  });
  await agent.server.report("completed", id);
  expect(collected).toEqual({ stdout: "out\n", stderr: "err\n" });
});

test("with KELPIE_LOG_SECONDS=0 nothing is kept, and the command has the agent's own output", async () => {
  const agent = await startAgent({ timings: quick, environment: { KELPIE_LOG_SECONDS: "0" } });
  const id = agent.server.submit({ ...program("") });
  await agent.server.report("completed", id);
  expect(agent.server.calls.filter(isLog)).toEqual([]);
});
