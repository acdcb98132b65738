/** Commands that are stopped because a bound of their job is reached. */
import { expect, test } from "vitest";
import { startAgent } from "./agent-under-test.ts";
import { checkpointRules } from "./checkpoint-rules.ts";
import { program } from "./commands.ts";

test("a command runs out of its time: told to stop by its own signal, its last checkpoint goes up, the attempt has timed out", async () => {
  const agent = await startAgent();
  const id = agent.server.submit({
    sync: checkpointRules,
    timeout_seconds: 1,
    stop_signal: "SIGINT",
    ...program(`
      process.on("SIGINT", () => { fs.writeFileSync("work/checkpoint/last", "saved"); process.exit(0); });
      setInterval(() => {}, 1000);
    `),
  });
  const report = await agent.server.report("timed_out", id);
  expect(report).toMatchObject({ exit_code: 0, reason: expect.stringContaining("1 s (timeout_seconds)") });
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
    timeout_seconds: 1,
    stop_grace_seconds: 0,
    ...program(`process.on("SIGTERM", () => {}); setInterval(() => {}, 1000);`),
  });
  expect(await agent.server.report("timed_out", id)).toMatchObject({ signal: "SIGKILL" });
});
