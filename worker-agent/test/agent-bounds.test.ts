/** Commands that are stopped because a bound of their job is reached. */
import { expect, onTestFinished, test } from "vitest";
import { LeasedJob } from "../src/api/work.ts";
import { createClock } from "../src/clock.ts";
import { timeoutOf } from "../src/command-timeout.ts";
import { pause } from "../src/pause.ts";
import { startAgent } from "./agent-under-test.ts";
import { checkpointRules } from "./checkpoint-rules.ts";
import { program, shell } from "./commands.ts";

test("a command runs out of its time: told to stop by its own signal, its last checkpoint goes up, the attempt has timed out", async () => {
  const agent = await startAgent();
  const id = agent.server.submit({
    sync: checkpointRules,
    timeout_seconds: 2,
    stop_signal: "SIGINT",
    ...shell(`trap "printf saved > work/checkpoint/last; exit 0" INT; while :; do sleep 0.05; done`),
  });
  const report = await agent.server.report("timed_out", id);
  expect(report).toMatchObject({ exit_code: 0, reason: expect.stringContaining("2 s (timeout_seconds)") });
  expect(agent.transfers.objects.get("b/checkpoint/last")).toBe("saved");
});

test("a command that ends within its time is not bothered", async () => {
  const agent = await startAgent();
  const id = agent.server.submit({ timeout_seconds: 600, ...program("") });
  await agent.server.report("completed", id);
});

test("a command runs out of its time and ignores the signal: killed after its own grace", async () => {
  const agent = await startAgent();
  const id = agent.server.submit({
    timeout_seconds: 2,
    stop_grace_seconds: 0,
    ...shell(`trap "" TERM; while :; do sleep 0.05; done`),
  });
  expect(await agent.server.report("timed_out", id)).toMatchObject({ signal: "SIGKILL" });
});

test("an older API that knows none of these fields: SIGTERM, 30 s, no bounds", () => {
  const told = {
    id: "0190b3a5-0000-7000-8000-000000000000",
    attempt: 1,
    command: "true",
    arguments: [],
    environment: {},
    compression: false,
    sync: {},
    lease_token: "token",
    lease_seconds: 20,
  };
  expect(LeasedJob.parse(told)).toMatchObject({
    stop_signal: "SIGTERM",
    stop_grace_seconds: 30,
    timeout_seconds: null,
    stall_timeout_seconds: null,
  });
});

test("the time of a command is counted while the machine is awake: a set clock and a sleep take nothing from it", async () => {
  let monotonicMs = 0;
  let sleptMs = 0;
  const clock = createClock({
    monotonicMs: () => monotonicMs,
    bootMs: () => monotonicMs + sleptMs,
    wallMs: () => sleptMs,
  });
  const stopper = timeoutOf(0.02, clock);
  onTestFinished(() => stopper.release());
  sleptMs = 3_600_000;
  for (let look = 0; look < 5; look++) {
    await pause(20);
    expect(stopper.signal.aborted).toBe(false);
  }
  monotonicMs = 20;
  await new Promise((resolve) => stopper.signal.addEventListener("abort", resolve));
  expect(stopper.signal.reason).toMatchObject({ end: "timed_out" });
});
