/** Commands that are stopped because a bound of their job is reached. */
import { expect, test } from "vitest";
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
